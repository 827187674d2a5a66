"""The installation that scripts/bench measures, and its measuring instruments."""
import contextlib
import dataclasses
import json
import os
import pathlib
import shutil
import statistics
import subprocess
import tempfile
import time
import urllib.request

from harness import BUILD, SOURCE, Stack, make_key_and_csr, until
from people import OPERATOR, hashed
from table import Row
from test_mail_signed import make_card

TICKS = os.sysconf("SC_CLK_TCK")
PASSWORD = "correct horse"
CHEAP = hashed(PASSWORD, ln=10)  # the least cost that is taken: for lines that are not about passwords
SESSION = {"role": "subscriber", "how": "session"}
FULL_LN = 15  # certq.yaml's default


@dataclasses.dataclass
class Sizes:
    """How much of everything. The default run takes less than ten minutes."""
    seconds: float = 3
    runs: int = 3
    history: int = 1_000_000
    certificates: tuple = (100_000, 1_000_000)
    due: int = 27_400
    revocations: int = 1_000_000
    backlog: int = 1_000_000
    burst: int = 100_000
    mails: int = 12_000
    signed: int = 15_000


FULL = {"history": 10_000_000, "certificates": (1_000_000, 10_000_000), "backlog": 10_000_000}
SMOKE = {"seconds": 0.2, "runs": 1, "history": 2000, "certificates": (500, 2000), "due": 20,
         "revocations": 500, "backlog": 2000, "burst": 300, "mails": 40, "signed": 60}


class BenchStack(Stack):
    """The server as scripts/mariadb starts it for use, and hashes of the usual cost."""

    def __init__(self, folder, small):
        self.small, self.signs = small, False
        super().__init__(folder=folder, products=folder / "products")
        shutil.copytree(SOURCE / "config" / "products", folder / "products")
        shutil.copytree(pathlib.Path(__file__).parent / "products", folder / "products",
                        dirs_exist_ok=True)

    def mariadb(self, verb):
        if self.small or verb != "start":
            return super().mariadb(verb)
        subprocess.run([SOURCE / "scripts" / "mariadb", verb, self.database], check=True,
                       stdout=subprocess.DEVNULL)

    def write_config(self):
        super().write_config()
        path = self.config_path()
        text = path.read_text().replace("scrypt: {ln: 12,", f"scrypt: {{ln: {FULL_LN},")
        if self.signs:
            text = text.replace("  help_ja:", "  sign_certificate: keys/mail.pem\n"
                                "  sign_key: keys/mail.key\n  help_ja:", 1)
        path.write_text(text)

    def sign_mails(self, signs):
        """Workers that are started from now on do, or do not."""
        if signs and not (self.folder / "keys" / "mail.pem").exists():
            make_card(self.folder)
        self.signs = signs
        self.write_config()


class Lab:
    """A broker and what it needs; lines start their workers, and begin with `fresh`."""

    def __init__(self, stack, sizes, table):
        self.stack, self.sizes, self.table = stack, sizes, table
        self.broker = None
        self.figures = {}  # what later lines compare with: {name: [runs]}
        self.took, self.stolen = {}, {}  # seconds of each line; percent of the cores' time
        self._make_floor_database()

    # --- the installation ---

    def _make_floor_database(self):
        text = self.stack.config_path().read_text()
        path = self.stack.folder / "floor.yaml"
        path.write_text(text.replace("name: certq\n  users", "name: certq_floor\n  users"))
        subprocess.run([BUILD / "client" / "certq", "--config", path, "db", "migrate"], check=True,
                       stdout=subprocess.DEVNULL)

    def empty(self, database="certq"):
        """Nothing but the schema; nobody may be using it."""
        kept = ("schema_version", "slot", "broker", "clock")
        names = [n for n, in self.stack.sql(
            f"SELECT table_name FROM information_schema.tables WHERE table_schema = '{database}' "
            "AND table_type = 'BASE TABLE'") if n not in kept]
        self.sql("; ".join(f"TRUNCATE TABLE {name}" for name in names), database=database)

    def start_broker(self):
        self.broker = self.stack.start_broker()

    def stop_broker(self):
        if self.broker:
            self.broker.stop(120)
            self.broker = None

    def fresh(self, broker=True):
        """An empty database, and a broker unless told otherwise."""
        self.stop_broker()
        self.empty()
        if broker:
            self.start_broker()

    @contextlib.contextmanager
    def workers(self, kinds, count=1, group=200):
        started = [self.stack.start_worker(kinds, group=group) for _ in range(count)]
        try:
            yield started
        finally:
            for worker in started:
                worker.stop(120)

    @contextlib.contextmanager
    def paused(self, kind):
        self.stack.certq("queue", "pause", kind)
        try:
            yield
        finally:
            self.stack.certq("queue", "resume", kind)

    def sql(self, statement, seconds=1800, database="certq"):
        """A statement that may take long; its output is not wanted."""
        s = self.stack
        subprocess.run(["mariadb", "--no-defaults", f"--socket={s.socket}", "--user=certq_admin",
                        f"--password={(s.database / 'passwords' / 'certq_admin').read_text().strip()}",
                        database, "-e", statement], check=True, timeout=seconds,
                       stdout=subprocess.DEVNULL)

    # --- people ---

    def person(self, client, product):
        """The subscriber bench-0 of a product, by its own rules; the result of the issue."""
        args = {"product": product, "by": SESSION, "subscriber": {
            "user_id": "bench-0", "email": "bench-0@example.jp", "organisation": {"latin": "Maru Co Ltd"}}}
        if product == "online-banking":
            args["subscriber"]["organisation"]["company_code"] = "000000001"
            args["password"] = CHEAP
        if product == "bench-direct":
            args["csr"] = self.csr()
        answer = client.run("issue", args)
        if answer["state"] != "done":
            raise AssertionError(answer)
        return answer["result"]

    def csr(self):
        path = self.stack.folder / "bench.csr"
        return path.read_text() if path.exists() else make_key_and_csr(self.stack.folder, "bench")[1]

    def args(self, name, args):
        """A file of args for certq-load, in which %ID% stands for the request."""
        path = self.stack.folder / f"{name}.json"
        path.write_text(json.dumps(args, ensure_ascii=False))
        return path

    def issue_args(self, password=CHEAP):
        return self.args("issue", {
            "product": "association", "by": OPERATOR, "password": password,
            "subscriber": {"email": "u%ID%@example.jp", "language": "ja",
                           "name": {"ja": "〇〇 花子", "latin": "Hanako Maru"},
                           "organisation": {"ja": "〇〇株式会社", "latin": "Maru Co Ltd"}}})

    # --- instruments ---

    @staticmethod
    def tool(name, *args, timeout=900):
        """Runs a program of tests/bench/ to its end; returns its JSON line."""
        done = subprocess.run([str(BUILD / "tests" / "bench" / name), *map(str, args)],
                              capture_output=True, text=True, timeout=timeout)
        if done.returncode:
            raise AssertionError(f"{name}: exit {done.returncode}: {done.stdout}{done.stderr}")
        return json.loads(done.stdout.splitlines()[-1])

    def load(self, kind, *options, seconds=None):
        """certq-load: {rate, count, p50_us?, p99_us?}."""
        return self.tool("certq-load", "--endpoint", f"tcp://127.0.0.1:{self.stack.ports[0][0]}",
                         "--kind", kind, "--seconds", seconds or self.sizes.seconds, *options)

    def floor(self, name):
        """certq-floor on tables that are empty: {rate} or {p50_us, p99_us}."""
        s = self.stack
        self.empty("certq_floor")
        return self.tool("certq-floor", "--socket", s.socket, "--user", "certq_admin",
                         "--password-file", s.database / "passwords" / "certq_admin", "--database",
                         "certq_floor", name, "--seconds", self.sizes.seconds)

    def runs(self, measure, *floors):
        """The figures of each, measured in turn so that a slow minute meets all: [runs], [runs]…"""
        every = [[f() for f in (measure, *floors)] for _ in range(self.sizes.runs)]
        return [list(figures) for figures in zip(*every)]

    def add(self, *args, **options):
        return self.table.add(Row(*args, **options))

    def metric(self, name):
        """The broker's own count, e.g. certq_jobs_ended_total{state="done"}."""
        url = f"http://127.0.0.1:{self.stack.ports[0][2]}/metrics"
        with urllib.request.urlopen(url, timeout=10) as answer:
            for line in answer.read().decode().splitlines():
                if line.startswith(name + " "):
                    return float(line.rsplit(" ", 1)[1])
        raise KeyError(name)

    def ended(self):
        return self.metric('certq_jobs_ended_total{state="done"}')

    def wait_ended(self, count, seconds=600):
        until(f"{count:,.0f} jobs have ended", lambda: self.ended() >= count, seconds)

    def mariadbd(self):
        return int((self.stack.database / "mariadbd.pid").read_text())


def cpu_seconds(pid):
    """CPU time of a process, its threads included."""
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def busy_seconds():
    """CPU time the whole machine has spent, over all cores."""
    fields = [int(n) for n in pathlib.Path("/proc/stat").read_text().split("\n")[0].split()[1:9]]
    return (sum(fields) - fields[3] - fields[4]) / TICKS


def stolen_seconds():
    """What the host gave to others while something here wanted to run, over all cores."""
    return int(pathlib.Path("/proc/stat").read_text().split("\n")[0].split()[8]) / TICKS


def peak_mb(pid):
    """The most memory a process has had resident."""
    for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM"):
            return int(line.split()[1]) / 1024
    raise AssertionError(f"process {pid} has no VmHWM")


def fsync_us(folder):
    """Median time of an fsync of one page appended."""
    times = []
    with tempfile.NamedTemporaryFile(dir=folder) as file:
        for _ in range(200):
            file.write(b"x" * 4096)
            file.flush()
            start = time.perf_counter()
            os.fsync(file.fileno())
            times.append((time.perf_counter() - start) * 1e6)
    return statistics.median(times)


def timed(action):
    """Seconds it took."""
    start = time.perf_counter()
    action()
    return time.perf_counter() - start


__all__ = [name for name in dir() if not name.startswith("_")]
