"""A second host: a network namespace of its own, joined to this process's by a cable that can be cut, both
ways or one way only, wholly or for one port. What is cut is dropped without a word, as a firewall or a dead
switch does it: both ends keep what they take for a connection.

The addresses are loopback's, which the programs take without keys; nothing outside the two namespaces is
touched, and both end with the test.
"""
import ctypes
import os
import pathlib
import subprocess
import unittest

from harness import BUILD, Stack, free_port, until

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
            run(*host("sysctl", "-qw", f"net.ipv4.conf.{device}.route_localnet=1"))
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
