"""What scripts/chaos runs and ill-treats: two brokers, two workers for every kind, two mail workers, MariaDB
and a mail server, each program with lines of its own that can be cut."""
import json
import os
import pathlib
import signal

from chaos_crowd import UNREACHABLE
from chaos_disk import SmallDisk
from chaos_wire import Lines
from harness import BUILD, REPORT, Stack, until

KINDS = {"sign": "issue,retrieve,reissue,lookup,decide,crl",
         "rest": "noop,revoke,expiry-scan,lookup,retrieve,inspect", "mail": "mail"}
WORKERS = [f"{kind}-{n}" for n in (1, 2) for kind in KINDS]
BROKERS = ["broker-1", "broker-2"]


def runs(pid):
    try:
        return pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


class ChaosStack(Stack):
    """The harness's, where nothing is given up for bad luck: a job dies of its own fault only. MariaDB has a disk of
    its own (None where none can be mounted)."""
    disk = None

    def prepare(self):
        self.disk = SmallDisk.make(self.database, self.folder / "mariadb.img")
        super().prepare()

    def close(self):
        if self.disk:
            for process in self.processes:
                process.kill()
            self.mariadb("stop")
            self.disk.close()
            self.disk = None
        super().close()

    def write_config(self):
        super().write_config()
        for at in range(len(self.ports)):
            path = self.config_path(at)
            path.write_text(path.read_text().replace("attempts: 25}", "attempts: 100, crashes: 100}"))


class Fleet:
    """Members by name; every one is started again by restart(). note(text) hears what is done to them."""

    def __init__(self, stack, note):
        self.stack, self.note = stack, note
        self.lines = Lines()
        self.members, self.line, self.paused, self.killed, self.crashed = {}, {}, set(), set(), []
        self.old = []  # the processes of earlier lives
        self.server_killed = self.server_paused = False

    # --- start and end ---

    def start(self):
        self.stack.start_catcher("--behave", self.stack.folder / "behave.json")
        self.behave({})
        for at, (clients, _, _) in enumerate(self.stack.ports):
            self.line[f"clients-{at + 1}"] = self.lines.tcp(clients)
        for name in BROKERS + WORKERS:
            self.make_lines(name)
            self.write_config(name)
            self.launch(name)
        for name in BROKERS:
            self.members[name].wait_line(r"ev=broker\.ready")
        for name in WORKERS:
            self.members[name].wait_line(r"(?s)ev=broker\.joined.*ev=broker\.joined")

    def close(self):
        self.lines.close()

    def make_lines(self, name):
        stack, line = self.stack, self.line
        line[f"{name}/db"] = self.lines.socket(stack.socket, stack.folder / f"{name}.sock")
        if name in WORKERS:
            for at, (_, workers, _) in enumerate(stack.ports):
                line[f"{name}/broker-{at + 1}"] = self.lines.tcp(workers)
        if name.startswith("mail"):
            line[f"{name}/smtp"] = self.lines.tcp(stack.smtp)

    def config(self, name):
        return self.stack.folder / f"{name}.yaml"

    def write_config(self, name):
        """The broker's own, with this member's lines for those of the others."""
        stack = self.stack
        at = BROKERS.index(name) if name in BROKERS else 0
        new = {f"socket: {stack.socket}": f"socket: {self.line[f'{name}/db'].port}"}
        if name in WORKERS:
            for i, (_, workers, _) in enumerate(stack.ports):
                new[f"workers: 'tcp://127.0.0.1:{workers}'"] = (
                    f"workers: 'tcp://127.0.0.1:{self.line[f'{name}/broker-{i + 1}'].port}'")
        if name.startswith("mail"):
            new[f"port: {stack.smtp},"] = f"port: {self.line[f'{name}/smtp'].port},"
        text = stack.config_path(at).read_text()
        for old, text_new in new.items():
            assert text.count(old) == 1, f"{name}: {old}"
            text = text.replace(old, text_new)
        self.config(name).write_text(text)

    def launch(self, name):
        kind = name.rpartition("-")[0]
        if name in BROKERS:
            argv = [BUILD / "broker" / "certq-broker", "--config", self.config(name)]
        else:
            argv = [BUILD / "workers" / "certq-worker", "--config", self.config(name), "--kinds",
                    KINDS[kind], "--name", name]
        number = len(self.stack.processes)
        self.members[name] = self.stack.start(f"{name}-{number}", argv)
        self.killed.discard(name)

    # --- what can be done to them ---

    def kill(self, name):
        if name not in self.killed:
            self.note(f"kill {name}")
            self.members[name].kill()
            self.killed.add(name)
            self.paused.discard(name)

    def restart(self, name):
        if name in self.killed:
            self.note(f"start {name}")
            self.launch(name)

    def pause(self, name):
        if name not in self.killed and name not in self.paused and self.members[name].alive():
            self.note(f"stop {name}")
            self.members[name].pause()
            self.paused.add(name)

    def go_on(self, name):
        if name in self.paused:
            self.note(f"continue {name}")
            self.members[name].go_on()
            self.paused.discard(name)

    def server_pid(self):
        return int((self.stack.database / "mariadbd.pid").read_text())

    def kill_server(self):
        if not self.server_killed:
            self.note("kill MariaDB")
            self.stack.kill_mariadb()
            self.server_killed, self.server_paused = True, False

    def start_server(self):
        if self.server_killed:
            self.free_disk()  # it could not start
            self.note("start MariaDB")
            self.stack.mariadb("start")
            self.server_killed = False

    def look_for_the_server(self):
        """One that ended because its disk was full is nobody's fault, but has to be started."""
        if not self.server_killed and not self.server_paused and not runs(self.server_pid()):
            self.note("MariaDB has ended")
            self.server_killed = True
            self.start_server()

    def pause_server(self):
        if not self.server_killed and not self.server_paused:
            self.note("stop MariaDB")
            os.kill(self.server_pid(), signal.SIGSTOP)
            self.server_paused = True

    def wake_server(self):
        if self.server_paused:
            self.note("continue MariaDB")
            os.kill(self.server_pid(), signal.SIGCONT)
            self.server_paused = False

    def fill_disk(self):
        if self.stack.disk:
            self.note("MariaDB's disk is full")
            self.stack.disk.fill()

    def free_disk(self):
        if self.stack.disk and self.stack.disk.is_full():
            self.note("MariaDB's disk has room")
            self.stack.disk.free()

    def lines_of(self, name):
        """[(line, the way that leads away from it)] of a member: what its host is connected by."""
        here = [(self.line[n], "up") for n in self.line if n.startswith(f"{name}/")]
        if name in BROKERS:
            number = name.rpartition("-")[2]
            here += [(self.line[n], "down") for n in self.line
                     if n == f"clients-{number}" or n.endswith(f"/{name}")]
        return here

    def sql(self, text):
        """As the administrator; when the server is away, that is that."""
        if self.server_killed or self.server_paused:
            return []
        try:
            return self.stack.sql(text)
        except AssertionError as error:
            self.note(f"not done: {text[:40]}: {str(error).strip()[-80:]}")
            return []

    def behave(self, manners):
        """The mail server's manners; some addresses are refused whatever they are."""
        path = self.stack.folder / "behave.json"
        new = path.with_suffix(".new")
        refused = {address: "550 5.1.1 no such user" for address in UNREACHABLE}
        if isinstance(manners.get("RCPT", {}), dict):
            manners = {**manners, "RCPT": {**refused, **manners.get("RCPT", {})}}
        new.write_text(json.dumps(manners))
        os.replace(new, path)

    # --- between and after ---

    def look_for_crashes(self):
        """Who ended without having been killed is a find of its own; it is started again."""
        for name, process in self.members.items():
            if name not in self.killed and not process.alive():
                self.crashed.append(f"{name} ended by itself with {process.returncode}:\n"
                                    f"{process.log()[-3000:]}")
                self.note(f"{name} ended by itself with {process.returncode}")
                self.killed.add(name)
                self.restart(name)

    def calm(self):
        """Everything runs, nothing is held."""
        self.wake_server()
        self.free_disk()
        self.start_server()
        self.look_for_the_server()
        self.behave({})
        for line in self.line.values():
            line.release()
        for name in BROKERS + WORKERS:
            self.restart(name)
            self.go_on(name)
        until("MariaDB answers", lambda: self.sql("SELECT 1"))
        self.sql("SET GLOBAL read_only = 0")
        self.sql("SET GLOBAL max_connections = 300")
        self.note("calm")

    def reports(self):
        """Sanitizers' reports and errors in all logs, as (process, text)."""
        found = []
        for process in self.stack.processes:
            log = process.log()
            if REPORT.search(log):
                found.append((process.name, log[-6000:]))
            found += [(process.name, line) for line in log.splitlines() if "level=error" in line]
        return found
