"""A worker's network is cut without a word, wholly or one way only, to its broker or to MariaDB (R6): every wait
ends, others go on, nothing is done twice or lost, and when the cable is mended it serves again by itself.
Skipped where no network namespaces can be made."""
import sys
import time
import unittest

from harness import until
from network import CutCase

WAYS = (None, "up", "down")


class BrokerAndWorker(CutCase):

    def test_cut_and_mended(self):
        self.begin()
        self.far_worker(tcp=False)
        for way in WAYS:
            with self.subTest(way):
                until("both work", self.serves)
                open_then = self.cut(way, self.stack.ports[0][1])
                self.all_end(f"broker and worker, {way or 'both'}", open_then, 20)
                until("it is given up", lambda: not self.serves(), 15)
                self.network.heal()
                until("it serves again", self.serves, 15)
        self.ends_well()


class WorkerAndDatabase(CutCase):

    def test_cut_and_mended(self):
        self.begin()
        far = self.far_worker()
        for way in WAYS:
            with self.subTest(way):
                before = far.log().count("ev=group.returned")
                open_then = self.cut(way, self.stack.port)
                self.all_end(f"worker and MariaDB, {way or 'both'}", open_then, 40)
                until("it hands its group back", lambda: far.log().count("ev=group.returned") > before, 20)
                self.network.heal()
                began = time.monotonic()
                until("it has a session again", lambda: self.stack.count(
                    "information_schema.PROCESSLIST", "USER = 'certq_worker' AND HOST LIKE '127.77.0.2:%'"
                    " AND TIME < 2"), 15)
                print(f"  and back after {time.monotonic() - began:.1f} s", file=sys.stderr)
        self.ends_well()


if __name__ == "__main__":
    unittest.main()
