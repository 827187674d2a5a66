"""Networks that are cut without a word, wholly or one way only, between broker and worker and between either
and MariaDB (R6): every wait ends, others go on, nothing is done twice or lost, and when the cable is mended
all serve again by themselves. Skipped where no network namespaces can be made."""
import sys
import time
import unittest

from faults import Load, check_exactly_once
from harness import PATIENCE, until
from network import Network, TwoHosts
from people import KINDS

WAYS = (None, "up", "down")
network = None


def setUpModule():
    global network
    network = Network()
    unittest.addModuleCleanup(network.close)


class Cut(unittest.TestCase):
    BROKERS = 1

    def setUp(self):
        self.stack = stack = TwoHosts(network, brokers=self.BROKERS)
        self.addCleanup(stack.close)
        self.addCleanup(network.heal)
        stack.__enter__()
        stack.start_catcher()
        self.broker = stack.start_broker()

    def begin(self, *more):
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
        network.cut(way, port)
        self.near.go_on()
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


class BrokerAndWorker(Cut):

    def test_cut_and_mended(self):
        self.begin()
        self.far_worker(tcp=False)
        for way in WAYS:
            with self.subTest(way):
                until("both work", self.serves)
                open_then = self.cut(way, self.stack.ports[0][1])
                self.all_end(f"broker and worker, {way or 'both'}", open_then, 20)
                until("it is given up", lambda: not self.serves(), 15)
                network.heal()
                until("it serves again", self.serves, 15)
        self.ends_well()


class WorkerAndDatabase(Cut):

    def test_cut_and_mended(self):
        self.begin()
        far = self.far_worker()
        for way in WAYS:
            with self.subTest(way):
                before = far.log().count("ev=group.returned")
                open_then = self.cut(way, self.stack.port)
                self.all_end(f"worker and MariaDB, {way or 'both'}", open_then, 40)
                until("it hands its group back", lambda: far.log().count("ev=group.returned") > before, 20)
                network.heal()
                began = time.monotonic()
                until("it has a session again", lambda: self.stack.count(
                    "information_schema.PROCESSLIST", "USER = 'certq_worker' AND HOST LIKE '127.77.0.2:%'"
                    " AND TIME < 2"), 15)
                print(f"  and back after {time.monotonic() - began:.1f} s", file=sys.stderr)
        self.ends_well()


class BrokerAndDatabase(Cut):
    BROKERS = 2

    def slots(self):
        return {b["name"]: len(b["slots"]) for b in self.stack.certq_json("broker", "list") if "name" in b}

    def test_cut_and_mended(self):
        other = self.stack.start_far("broker/certq-broker", "broker-2", broker=1)
        other.wait_line(r"ev=broker\.ready")
        self.begin()
        for way in WAYS:
            with self.subTest(way):
                until("they share", lambda: self.slots() == {"broker-1": 8, "broker-2": 8}, 30)
                self.load.wait_for(len(self.load.ended) + 100)
                network.cut(way, self.stack.port)
                open_then = set(self.load.sent) - set(self.load.ended)
                with self.stack.client(1) as client:
                    answer = client.accepted(client.submit("noop", {}), 10)
                    self.assertEqual(answer.get("error", {}).get("code"), "unavailable", answer)
                self.all_end(f"broker and MariaDB, {way or 'both'}", open_then, 40)
                until("its slots are the other's", lambda: self.slots().get("broker-1") == 16, 20)
                network.heal()
        until("they share again", lambda: self.slots() == {"broker-1": 8, "broker-2": 8}, 30)
        self.ends_well()
        self.assertEqual(other.returncode, 0)

    def test_its_host_is_gone(self):
        """Clients, workers and MariaDB lose it at once, and nobody is told."""
        other = self.stack.start_far("broker/certq-broker", "broker-2", broker=1)
        other.wait_line(r"ev=broker\.ready")
        self.begin()
        until("they share", lambda: self.slots() == {"broker-1": 8, "broker-2": 8}, 30)
        self.load.wait_for(len(self.load.ended) + 100)
        network.cut()
        open_then = set(self.load.sent) - set(self.load.ended)
        self.all_end("a broker's host", open_then, 40)
        network.heal()
        until("they share again", lambda: self.slots() == {"broker-1": 8, "broker-2": 8}, 30)
        self.ends_well()


if __name__ == "__main__":
    unittest.main()
