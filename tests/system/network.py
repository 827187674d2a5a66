"""A second host: a network namespace of its own, joined to this process's by a cable that can be cut, both
ways or one way only, wholly or for one port. What is cut is dropped without a word, as a firewall or a dead
switch does it: both ends keep what they take for a connection.

The addresses are loopback's, which the programs take without keys; nothing outside the two namespaces is
touched, and both end with the test.
"""
import atexit
import ctypes
import functools
import os
import pathlib
import subprocess
import sys
import time
import unittest

from faults import Load, check_exactly_once
from harness import BUILD, Stack, free_port, until
from people import KINDS

NEAR, FAR = "127.77.0.1", "127.77.0.2"
CLONE_NEWNET = 0x40000000


def run(*argv, stdin=None):
    done = subprocess.run(argv, input=stdin, capture_output=True, text=True)
    if done.returncode:
        raise AssertionError(f"{' '.join(argv)}: {done.stderr.strip()}")


class Network:
    """To be made before any thread: all programs and threads are of the namespace of who starts them."""

    def __init__(self):
        if ctypes.CDLL(None, use_errno=True).unshare(CLONE_NEWNET):
            raise unittest.SkipTest(f"no network namespace can be made: {os.strerror(ctypes.get_errno())}")
        self.holder = subprocess.Popen(["unshare", "--net", "sleep", "infinity"])
        try:
            self._join()
        except (AssertionError, OSError) as error:
            self.close()
            raise unittest.SkipTest(f"no two hosts can be made: {error}")

    def close(self):
        self.holder.kill()
        self.holder.wait()

    def far(self, *argv):
        """The command line that runs `argv` on the far host."""
        return ["nsenter", f"--net=/proc/{self.holder.pid}/ns/net", *map(str, argv)]

    def near(self, *argv):
        return list(argv)

    def _join(self):
        mine, its = (pathlib.Path(f"/proc/{who}/ns/net") for who in ("self", self.holder.pid))
        until("the other host is there", lambda: its.readlink() != mine.readlink(), 10)
        run("ip", "link", "add", "near", "type", "veth", "peer", "name", "far", "netns", str(self.holder.pid))
        for host, device, own, other in ((self.near, "near", NEAR, FAR), (self.far, "far", FAR, NEAR)):
            run(*host("sh", "-c", f"echo 1 >/proc/sys/net/ipv4/conf/{device}/route_localnet"))
            run(*host("ip", "link", "set", "lo", "up"))
            run(*host("ip", "address", "add", f"{own}/32", "dev", device))
            run(*host("ip", "link", "set", device, "up"))
            run(*host("ip", "route", "add", other, "dev", device, "src", own, "table", "local"))
        self.cut()
        self.heal()

    def cut(self, way=None, port=None):
        """Nothing arrives any more: at the near host (way "up"), at the far one ("down"), or at both; with a
        port, nothing to or from it."""
        self.heal()
        for host, device, its_way in ((self.near, "near", "up"), (self.far, "far", "down")):
            if way in (None, its_way):
                of = [f"tcp {end} {port}" for end in ("dport", "sport")] if port else [""]
                rules = "".join(f"iifname {device} {what} drop; " for what in of)
                run(*host("nft", "-f", "-"), stdin="table ip cut { chain in { type filter hook input priority 0; "
                    + rules + "}; }\n")

    def heal(self):
        for host in (self.near, self.far):
            run(*host("nft", "-f", "-"), stdin="table ip cut\ndelete table ip cut\n")


class TwoHosts(Stack):
    """Everything is near but what is started `far`; MariaDB is reached over the network by who is."""

    def __init__(self, network, **options):
        super().__init__(**options)
        self.network, self.port = network, free_port()

    def server_options(self):
        return [*super().server_options(), "--set", "skip-networking=0", "--set", f"port={self.port}", "--set",
                f"bind-address={NEAR}"]

    def prepare(self):
        super().prepare()
        for user in ("broker", "worker", "mail"):
            password = (self.database / "passwords" / f"certq_{user}").read_text().strip()
            self.sql(f"CREATE USER certq_{user}@'{FAR}' IDENTIFIED BY '{password}'")
        self.certq("db", "migrate")  # gives them their rights

    def address(self, broker):
        return FAR if broker else NEAR

    def start_far(self, program, name, *options, broker=0, tcp=True):
        """A program on the far host, with broker's configuration; over TCP to MariaDB, or by its socket."""
        text = self.config_path(broker).read_text()
        old = f"socket: {self.socket}"
        assert text.count(old) == 1
        path = self.folder / f"far-{len(self.processes)}.yaml"
        path.write_text(text.replace(old, f"host: {NEAR}\n  port: {self.port}") if tcp else text)
        return self.start(f"{name}-{len(self.processes)}",
                          self.network.far(BUILD / program, "--config", path, *options))


@functools.cache
def the_network():
    """This process's: its threads stay in the namespace they were started in."""
    network = Network()
    atexit.register(network.close)
    return network


class CutCase(unittest.TestCase):
    """Workers and a load on two hosts; of two brokers the second is far."""
    BROKERS = 1

    @classmethod
    def setUpClass(cls):
        cls.network = the_network()

    def setUp(self):
        self.stack = stack = TwoHosts(self.network, brokers=self.BROKERS)
        self.addCleanup(stack.close)
        self.addCleanup(self.network.heal)
        stack.__enter__()
        stack.start_catcher()
        self.broker = stack.start_broker()

    def begin(self):
        """Near workers, and a load that runs."""
        self.near = self.stack.start_worker(KINDS, name="near")
        self.stack.start_worker("mail", name="mail")
        self.load = Load(self.stack, outstanding=100)
        self.load.wait_for(40)

    def far_worker(self, **options):
        far = self.stack.start_far("workers/certq-worker", "far", "--kinds", KINDS, "--name", "far", **options)
        far.wait_line(r"ev=broker\.joined")
        return far

    def serves(self):
        """Is the far worker one that the broker hears?"""
        return any(w["name"] == "far" and w["silent_ms"] < 3000 for w in self.stack.certq_json("worker", "list"))

    def cut(self, way, port):
        """While the far worker is the only one that works; returns what has no end then."""
        self.near.pause()
        self.load.wait_for(len(self.load.ended) + 100)
        self.network.cut(way, port)
        self.near.go_on()
        return self.open_now()

    def open_now(self):
        return set(self.load.sent) - set(self.load.ended)

    def all_end(self, what, open_then, seconds):
        """All that was open when the cable was cut ends while it is."""
        began = time.monotonic()
        until(f"{what}: what was open has ended", lambda: not open_then - set(self.load.ended) or self.load._broken(),
              seconds)
        print(f"{what}: the last one after {time.monotonic() - began:.1f} s", file=sys.stderr)

    def ends_well(self):
        self.load.wait_for(len(self.load.ended) + 20)
        self.load.finish()
        check_exactly_once(self, self.stack, self.load)
        self.stack.drain()
