"""Other queues as Debian packages them: private servers do P1's and P2's work, effect in MariaDB too."""
import contextlib
import shutil
import socket

import lines_queue
from harness import free_port, until

# --- their servers: each a process of ours in a folder of its own, ended by its pid ---

@contextlib.contextmanager
def _server(lab, name, argv, **environment):
    folder = lab.stack.folder / name
    process = lab.stack.start(name, argv, env={key: str(value) for key, value in environment.items()},
                              cwd=folder)
    try:
        yield process
    finally:
        process.stop(60)
        shutil.rmtree(folder, ignore_errors=True)


def _folder(lab, name):
    folder = lab.stack.folder / name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    return folder


def _wait(port, process):
    def answers():
        if not process.alive():
            raise AssertionError(f"{process.name} ended: {process.log()[-2000:]}")
        with contextlib.closing(socket.socket()) as s:
            return s.connect_ex(("127.0.0.1", port)) == 0
    until(f"{process.name} listens", answers, 60)


@contextlib.contextmanager
def gearman(lab, port):
    """Its queue is a table of the same MariaDB, reached by the same socket."""
    folder = _folder(lab, "gearman")
    (folder / ".my.cnf").write_text(f"[gearmand]\nsocket={lab.stack.socket}\n")
    lab.stack.sql("DROP DATABASE IF EXISTS gearman; CREATE DATABASE gearman")
    password = (lab.stack.database / "passwords" / "certq_admin").read_text().strip()
    argv = ["/usr/sbin/gearmand", "--listen", "127.0.0.1", "--port", port, "--log-file", "stderr",
            "--queue-type", "MySQL", "--mysql-host", "localhost", "--mysql-user", "certq_admin",
            "--mysql-password", password, "--mysql-db", "gearman"]
    with _server(lab, "gearman", argv, HOME=folder) as process:
        _wait(port, process)
        yield


@contextlib.contextmanager
def beanstalk(lab, port):
    folder = _folder(lab, "beanstalk")
    argv = ["/usr/bin/beanstalkd", "-l", "127.0.0.1", "-p", port, "-b", folder, "-f0"]
    with _server(lab, "beanstalk", argv) as process:
        _wait(port, process)
        yield


@contextlib.contextmanager
def redis(lab, port):
    folder = _folder(lab, "redis")
    argv = ["/usr/bin/redis-server", "--bind", "127.0.0.1", "--port", port, "--dir", folder, "--save", "",
            "--appendonly", "yes", "--appendfsync", "always"]
    with _server(lab, "redis", argv) as process:
        _wait(port, process)
        yield


@contextlib.contextmanager
def rabbit(lab, port):
    """Its port mapper is ours too: RabbitMQ would leave one behind."""
    folder, mapper = _folder(lab, "rabbit"), free_port()
    (folder / "plugins").write_text("[].\n")
    (folder / "rabbitmq.conf").write_text(f"listeners.tcp.1 = 127.0.0.1:{port}\n")
    _folder(lab, "epmd")
    with _server(lab, "epmd", ["epmd", "-address", "127.0.0.1", "-port", mapper]) as epmd:
        _wait(mapper, epmd)
        with _server(lab, "rabbit", ["/usr/lib/rabbitmq/bin/rabbitmq-server"], HOME=folder,
                     ERL_EPMD_PORT=mapper, ERL_EPMD_ADDRESS="127.0.0.1", RABBITMQ_NODENAME="bench@localhost",
                     RABBITMQ_DIST_PORT=free_port(), RABBITMQ_CONFIG_FILE=folder / "rabbitmq.conf",
                     RABBITMQ_MNESIA_BASE=folder, RABBITMQ_LOGS="-", RABBITMQ_PID_FILE=folder / "pid",
                     RABBITMQ_ENABLED_PLUGINS_FILE=folder / "plugins") as process:
            _wait(port, process)
            yield


# name, server, and what P1 and P2 must be of it (at least so many times)
PEERS = (
    ("gearmand + MariaDB", "gearman", gearman, 8, 8),
    ("RabbitMQ quorum", "rabbit", rabbit, 1, None),
    ("beanstalkd -f0", "beanstalk", beanstalk, None, None),
    ("Redis always", "redis", redis, None, None),
)


def peers(lab):
    """P1 and P2 against other queues; runs those lines first unless they have run."""
    if "accept" not in lab.figures:
        lines_queue.accept(lab)
    if "noop" not in lab.figures:
        lines_queue.noop(lab)
    lab.stop_broker()
    for name, peer, server, accept_least, done_least in PEERS:
        try:
            accepts, dones = lab.runs(lambda: _once(lab, peer, server, False),
                                      lambda: _once(lab, peer, server, True))
        except (AssertionError, OSError) as error:  # one that is not to be had hides no other
            print(f"{name} was not measured: {error}", flush=True)
            continue
        lab.add("P1", "accept against a peer", "/s", lab.figures["accept"], (name, accepts),
                least=accept_least)
        lab.add("P2", "accept to done against a peer", "/s", lab.figures["noop"], (name, dones),
                least=done_least)


def _once(lab, peer, server, with_effect):
    """One run on a fresh server."""
    port, s = free_port(), lab.stack
    effect = ["--socket", s.socket, "--user", "certq_admin", "--password-file",
              s.database / "passwords" / "certq_admin", "--database", "certq_floor"] if with_effect else []
    lab.empty("certq_floor")
    with server(lab, port):
        return lab.tool("certq-peer", "--peer", peer, "--port", port, "--seconds", lab.sizes.seconds,
                        *effect)["rate"]
