"""Starts the real programs for tests and demo: a private MariaDB, the mail catcher, brokers, workers.

Everything lives in one temporary folder and ends with it. Waiting is for an event with a deadline,
never for a time. The programs are those of $CERTQ_BUILD (default: the newest build folder).
"""
import contextlib
import json
import os
import pathlib
import random
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import uuid

import zmq

SOURCE = pathlib.Path(os.environ.get("CERTQ_SOURCE", pathlib.Path(__file__).resolve().parents[2]))


def _newest_build():
    builds = [p for p in SOURCE.glob("build*") if (p / "broker" / "certq-broker").exists()]
    return max(builds, key=lambda p: (p / "broker" / "certq-broker").stat().st_mtime)


BUILD = pathlib.Path(os.environ["CERTQ_BUILD"]) if "CERTQ_BUILD" in os.environ else _newest_build()
SANITIZED = bool(re.search(r"^CERTQ_SANITIZE:\w+=\w", (BUILD / "CMakeCache.txt").read_text(), re.M))
PATIENCE = 60 if SANITIZED else 30
REPORT = re.compile(r"ERROR: \w+Sanitizer|WARNING: ThreadSanitizer|runtime error:|LeakSanitizer:.*detected")


def until(what, predicate, seconds=PATIENCE):
    """Waits until predicate() is true and returns its value; fails naming `what`."""
    end = time.monotonic() + seconds
    while True:
        value = predicate()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"not within {seconds} s: {what}")
        time.sleep(0.02)


class Process:
    """A program with its log; lines can be waited for."""

    def __init__(self, name, argv, folder, env=None, **options):
        self.name, self.argv = name, [str(a) for a in argv]
        self.log_path = pathlib.Path(folder) / f"{name}.log"
        self._log = open(self.log_path, "ab")
        self.process = subprocess.Popen(self.argv, stdout=self._log, stderr=self._log,
                                        stdin=subprocess.DEVNULL, env={**os.environ, **(env or {})}, **options)

    @property
    def pid(self):
        return self.process.pid

    @property
    def returncode(self):
        return self.process.returncode

    def log(self):
        return self.log_path.read_text(errors="replace")

    def wait_line(self, pattern, seconds=PATIENCE):
        def found():
            match = re.search(pattern, self.log())
            if not match and self.process.poll() is not None:
                raise AssertionError(f"{self.name} ended with {self.process.returncode}:\n"
                                     + self.log()[-3000:])
            return match
        return until(f"{self.name} says {pattern}", found, seconds)

    def signal(self, number):
        self.process.send_signal(number)

    def alive(self):
        return self.process.poll() is None

    def pause(self):
        """SIGSTOP; returns when it has stopped."""
        self.signal(signal.SIGSTOP)
        until(f"{self.name} has stopped", lambda: self._state() in "tT")

    def go_on(self):
        self.signal(signal.SIGCONT)

    def _state(self):
        return pathlib.Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()[0]

    def kill(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait(PATIENCE)
        self._log.close()

    def stop(self, seconds=PATIENCE):
        """SIGTERM and wait; returns the exit code."""
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(seconds)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
                raise AssertionError(f"{self.name} did not stop:\n{self.log()[-3000:]}")
        return self.process.returncode


CONFIG = """\
testing: {{settable_clock: true}}
log: {{level: {log_level}}}
database:
  socket: {socket}
  name: certq
  users:
    admin: {{user: certq_admin, password_file: {passwords}/certq_admin}}
    broker: {{user: certq_broker, password_file: {passwords}/certq_broker}}
    worker: {{user: certq_worker, password_file: {passwords}/certq_worker}}
    mail: {{user: certq_mail, password_file: {passwords}/certq_mail}}
    reader: {{user: certq_reader, password_file: {passwords}/certq_reader}}
broker:
  name: {name}
  clients: tcp://{address}:{clients}
  workers: tcp://{address}:{workers}
  http: {address}:{http}
{broker_extra}
connect:
  brokers:
{brokers}
retry: {{first: 200ms, most: 2s, attempts: {attempts}}}
intake: {{certificate: keys/intake.pem, key: keys/intake.key}}
scrypt: {{ln: 12, r: 8, p: 1}}
code_keyring: keys/codes.keys
fingerprint_key: keys/fingerprint.keys
products: {products}
templates: {source}/config/templates
crl_folder: crl
audit: {{key: keys/audit.key, public: keys/audit.pem, seals: audit.seals}}
issuers:
{issuers}
mail:
  from: certq@example.jp
  from_name_ja: 〇〇電子証明書サービス
  from_name_en: Example Certificate Service
  help_ja: 〇〇電子証明書サービス ヘルプデスク help@example.jp
  help_en: Example Certificate Service help desk, help@example.jp
  smtp: {{host: 127.0.0.1, port: {smtp}, timeout: {smtp_timeout}}}
"""


def free_port():
    """A port that nobody listens on; below those the kernel gives to outgoing connections."""
    while True:
        port = random.SystemRandom().randrange(15000, 32000)
        with contextlib.closing(socket.socket()) as s, contextlib.suppress(OSError):
            s.bind(("127.0.0.1", port))
            return port


class Stack:
    """A whole installation in a folder: keys, CA, schema, configuration; starts and ends processes."""

    def __init__(self, brokers=1, products=None, attempts=25, broker_extra="", log_level="info",
                 issuers=("person-ca", "server-ca", "resident-ca"), folder=None, binlog=False, smtp_timeout="10s",
                 crl_soon="10s"):
        self.folder = pathlib.Path(folder or tempfile.mkdtemp(prefix="certq-test-"))
        self.owns_folder = folder is None
        self.processes = []
        self.database = self.folder / "mariadb"
        self.products = products or SOURCE / "config" / "products"
        self.attempts, self.broker_extra, self.log_level = attempts, broker_extra, log_level
        self.issuers, self.smtp_timeout, self.crl_soon = issuers, smtp_timeout, crl_soon
        self.smtp = 0
        self.catcher = None
        self.ports = [(free_port(), free_port(), free_port()) for _ in range(brokers)]
        self.binlog = binlog

    # --- life ---

    def __enter__(self):
        try:
            self.prepare()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_):
        self.close()

    def prepare(self):
        (self.folder / "keys").mkdir(exist_ok=True)
        self.mariadb("start")
        self.write_config()
        for kind, name in (("intake", "intake.key"), ("codes", "codes.keys"),
                           ("fingerprint", "fingerprint.keys"), ("audit", "audit.key")):
            if not (self.folder / "keys" / name).exists():
                self.certq("key", "generate", kind, self.folder / "keys" / name)
        if not (self.folder / "ca").exists():
            self.certq("ca", "init", "--test")
        self.certq("db", "migrate")

    def close(self):
        for process in self.processes:
            process.kill()
        self.mariadb("stop")
        if self.owns_folder and not os.environ.get("CERTQ_KEEP"):
            shutil.rmtree(self.folder, ignore_errors=True)

    def drain(self):
        """Ends what still runs as an operator would; fails on an exit code or a sanitizer's report."""
        complaints = []
        for process in reversed(self.processes):
            if process.alive():
                process.go_on()
                if process.stop() and process is not self.catcher:
                    complaints.append(f"{process.name}: exit {process.returncode}")
            if REPORT.search(process.log()):
                complaints.append(f"{process.name}: {process.log()[-6000:]}")
        if complaints:
            raise AssertionError("\n".join(complaints))

    def server_options(self):
        return ["--small", *(["--binlog"] if self.binlog else [])]

    def mariadb(self, verb):
        options = self.server_options() if verb == "start" else []
        done = subprocess.run([SOURCE / "scripts" / "mariadb", verb, self.database, *options],
                              capture_output=True, text=True)
        if done.returncode:
            logs = "".join(path.read_text(errors="replace")[-3000:]
                           for name in ("install.log", "mariadbd.log")
                           if (path := self.database / name).exists())
            raise AssertionError(f"mariadb {verb}: {done.stderr}{logs}")

    def kill_mariadb(self):
        pid = int((self.database / "mariadbd.pid").read_text())
        os.kill(pid, signal.SIGKILL)
        def gone():
            try:
                os.kill(pid, 0)
            except ProcessLookupError:
                return True
            # A killed child of another process stays a zombie until that one reaps it.
            return "Z" in pathlib.Path(f"/proc/{pid}/stat").read_text().split()[2]
        until("mariadbd is gone", gone)

    @property
    def socket(self):
        return self.database / "mariadb.sock"

    def config_path(self, broker=0):
        return self.folder / f"certq-{broker}.yaml"

    def address(self, broker):
        """Where its host listens."""
        return "127.0.0.1"

    def write_config(self):
        for i, (clients, workers, http) in enumerate(self.ports):
            brokers = "\n".join(f"    - {{clients: 'tcp://{self.address(at)}:{c}', "
                                f"workers: 'tcp://{self.address(at)}:{w}'}}"
                                for at, (c, w, _) in enumerate(self.ports))
            issuers = "\n".join(
                f"  - {{name: {name}, certificate: ca/{name}.pem, key: ca/{name}.key, "
                f"crl_url: 'http://crl.example.jp/crl/{name}.crl', crl_validity: 7d, "
                f"crl_soon: {self.crl_soon}}}"
                for name in self.issuers)
            self.config_path(i).write_text(CONFIG.format(
                socket=self.socket, passwords=self.database / "passwords", name=f"broker-{i + 1}",
                address=self.address(i),
                clients=clients, workers=workers, http=http, brokers=brokers, issuers=issuers,
                smtp=self.smtp or 25, smtp_timeout=self.smtp_timeout, products=self.products, source=SOURCE,
                attempts=self.attempts, broker_extra=self.broker_extra, log_level=self.log_level))

    def encrypt(self, keys):
        """CURVE on all connections; keys["broker"] and keys["operator"] are pairs (public, secret)."""
        (self.folder / "keys").mkdir(exist_ok=True)
        for name in ("broker", "operator"):
            path = self.folder / "keys" / f"{name}.curve"
            path.touch(0o600)
            path.write_text("public: {}\nsecret: {}\n".format(*keys[name]))
        write = self.write_config

        def write_with_keys():
            write()
            path = self.config_path()
            head, connect, tail = path.read_text().partition("connect:\n")  # a key may begin with a brace
            tail = tail.replace("'}", f"', key: '{keys['broker'][0]}'}}", 1)
            path.write_text(head + connect + "  curve_key: keys/operator.curve\n" + tail)
        self.write_config = write_with_keys

    # --- programs ---

    def certq(self, *args, check=True, broker=0, stdin=None, timeout=PATIENCE * 2):
        """Runs the command line; returns its CompletedProcess."""
        done = subprocess.run([str(BUILD / "client" / "certq"), "--config", str(self.config_path(broker)),
                               *map(str, args)], capture_output=True, text=True, input=stdin,
                              timeout=timeout)
        if check and done.returncode != 0:
            raise AssertionError(f"certq {' '.join(map(str, args))}: exit {done.returncode}\n"
                                 f"{done.stdout}{done.stderr}")
        return done

    def certq_json(self, *args, **options):
        """Runs `certq --json …`; returns the objects, one a line."""
        done = self.certq("--json", *args, **options)
        return [json.loads(line) for line in done.stdout.splitlines() if line.strip()]

    def start(self, name, argv, **options):
        process = Process(name, argv, self.folder, **options)
        self.processes.append(process)
        return process

    def start_broker(self, broker=0, wait=True):
        process = self.start(f"broker-{broker + 1}-{len(self.processes)}",
                             [BUILD / "broker" / "certq-broker", "--config", self.config_path(broker)])
        if wait:
            process.wait_line(r"ev=broker\.ready")
        return process

    def start_worker(self, kinds, name=None, group=None, wait=True, broker=0):
        name = name or f"worker-{len(self.processes)}"
        argv = [BUILD / "workers" / "certq-worker", "--config", self.config_path(broker), "--kinds", kinds,
                "--name", name]
        if group:
            argv += ["--group", group]
        process = self.start(f"{name}-{len(self.processes)}", argv)
        if wait:
            process.wait_line(r"ev=broker\.joined")
        return process

    def start_catcher(self, *options):
        """The SMTP server that keeps mail; workers started later use it."""
        port = self.smtp or free_port()
        folder = self.folder / "mail"
        folder.mkdir(exist_ok=True)
        self.catcher = self.start(f"catcher-{len(self.processes)}",
                                  ["/usr/bin/python3", SOURCE / "scripts" / "mail-catcher", "--listen",
                                   f"127.0.0.1:{port}", "--folder", folder, *options])
        self.catcher.wait_line(r"listening on")
        self.smtp = port
        self.write_config()
        return self.catcher

    def mails(self):
        """Paths of the messages kept so far, oldest first."""
        return sorted(p for p in (self.folder / "mail").glob("*.eml"))

    # --- database, as its administrator ---

    def sql(self, statement, database="certq"):
        """Rows as lists of texts."""
        done = subprocess.run(
            ["mariadb", "--no-defaults", f"--socket={self.socket}", "--user=certq_admin",
             f"--password={(self.database / 'passwords' / 'certq_admin').read_text().strip()}",
             "--batch", "--skip-column-names", database, "-e", statement],
            capture_output=True, text=True, timeout=PATIENCE)
        if done.returncode:
            raise AssertionError(done.stderr)
        return [line.split("\t") for line in done.stdout.splitlines()]

    def count(self, table, where="1"):
        return int(self.sql(f"SELECT COUNT(*) FROM {table} WHERE {where}")[0][0])

    # --- a foreign client, written from the RFC's text ---

    def client(self, broker=0):
        return Client(self.endpoint(broker))

    def endpoint(self, broker=0):
        return f"tcp://{self.address(broker)}:{self.ports[broker][0]}"


def new_id():
    """A version 7 UUID."""
    ms = int(time.time() * 1000)
    tail = uuid.uuid4().int
    value = (ms << 80) | (7 << 76) | ((tail >> 64) & 0xFFF) << 64 | (2 << 62) | (tail & ((1 << 62) - 1))
    return str(uuid.UUID(int=value))


class Client:
    """Majordomo client 0.2 (RFC 18) on a DEALER; call01 is 0.1 (RFC 7) on a REQ."""

    def __init__(self, endpoint):
        self.endpoint = endpoint
        self.context = zmq.Context.instance()
        self.socket = self.context.socket(zmq.DEALER)
        self.socket.linger = 0
        self.socket.connect(endpoint)
        self.partial, self.final = {}, {}

    def close(self):
        self.socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def send(self, kind, body):
        if isinstance(body, dict):
            body = json.dumps(body, ensure_ascii=False).encode()
        self.socket.send_multipart([b"MDPC02", b"\x01", kind.encode(), body])

    def receive(self, seconds=PATIENCE):
        """(command, kind, answer) of the next message; None when there is none in time."""
        if not self.socket.poll(int(seconds * 1000)):
            return None
        frames = self.socket.recv_multipart()
        assert frames[0] == b"MDPC02", frames
        return frames[1], frames[2].decode(), json.loads(frames[3])

    def submit(self, kind, args, id=None, **more):
        """Sends a job and returns its id."""
        id = id or new_id()
        self.send(kind, {"id": id, "args": args, **more})
        return id

    def _pump(self, seconds):
        message = self.receive(seconds)
        if message is None:
            return False
        command, _, answer = message
        (self.partial if command == b"\x02" else self.final)[answer.get("id")] = answer
        return True

    def accepted(self, id, seconds=PATIENCE):
        """The accepted answer, or the final one when there is no other."""
        end = time.monotonic() + seconds
        while id not in self.partial and id not in self.final:
            if not self._pump(end - time.monotonic()):
                raise AssertionError(f"no answer for {id} within {seconds} s")
        return self.partial.get(id) or self.final[id]

    def done(self, id, seconds=PATIENCE):
        """The final answer."""
        end = time.monotonic() + seconds
        while id not in self.final:
            if not self._pump(max(0, end - time.monotonic())):
                raise AssertionError(f"job {id} has no final answer within {seconds} s")
        return self.final[id]

    def run(self, kind, args, seconds=PATIENCE, **more):
        return self.done(self.submit(kind, args, **more), seconds)

    def call01(self, service, *body, seconds=PATIENCE):
        """One request of MDP/Client 0.1; returns the reply's body frames."""
        with self.context.socket(zmq.REQ) as req:
            req.linger = 0
            req.connect(self.endpoint)
            req.send_multipart([b"MDPC01", service.encode(), *body])
            if not req.poll(int(seconds * 1000)):
                raise AssertionError(f"no reply from {service} within {seconds} s")
            frames = req.recv_multipart()
            assert frames[0] == b"MDPC01" and frames[1] == service.encode(), frames
            return frames[2:]


SUBSCRIBER = {
    "email": "hanako@example.jp",
    "name": {"ja": "〇〇 花子", "latin": "Hanako Maru"},
    "organisation": {"ja": "〇〇株式会社", "latin": "Maru Co Ltd"},
    "language": "ja",
}


def make_key_and_csr(folder, name="subject", key="ec"):
    """A key pair and a PKCS#10 request by openssl(1); returns (key path, CSR as PEM text)."""
    folder = pathlib.Path(folder)
    key_path, csr_path = folder / f"{name}.key", folder / f"{name}.csr"
    spec = ["ec", "-pkeyopt", "ec_paramgen_curve:P-256"] if key == "ec" else [f"rsa:{key}"]
    subprocess.run(["openssl", "req", "-new", "-newkey", *spec, "-nodes", "-keyout", str(key_path),
                    "-subj", "/CN=ignored", "-out", str(csr_path)], check=True, capture_output=True)
    return key_path, csr_path.read_text()
