"""A broker's network is cut without a word, wholly or one way only, to MariaDB or to everybody (R6, R2): its slots
go on at the other, who asks it is told, and when the cable is mended both share again. Skipped where no
network namespaces can be made."""
import unittest

from harness import until
from network import CutCase


class BrokerAndDatabase(CutCase):
    BROKERS = 2

    def slots(self):
        return {b["name"]: len(b["slots"]) for b in self.stack.certq_json("broker", "list") if "name" in b}

    def setUp(self):
        super().setUp()
        self.other = self.stack.start_far("broker/certq-broker", "broker-2", broker=1)
        self.other.wait_line(r"ev=broker\.ready")
        self.begin()

    def test_cut_and_mended(self):
        for way in (None, "up", "down"):
            with self.subTest(way):
                until("they share", lambda: self.slots() == {"broker-1": 8, "broker-2": 8}, 30)
                self.load.wait_for(len(self.load.ended) + 100)
                self.network.cut(way, self.stack.port)
                open_then = self.open_now()
                with self.stack.client(1) as client:
                    answer = client.accepted(client.submit("noop", {}), 10)
                    self.assertEqual(answer.get("error", {}).get("code"), "unavailable", answer)
                self.all_end(f"broker and MariaDB, {way or 'both'}", open_then, 40)
                until("its slots are the other's", lambda: self.slots().get("broker-1") == 16, 20)
                self.network.heal()
        until("they share again", lambda: self.slots() == {"broker-1": 8, "broker-2": 8}, 30)
        self.ends_well()
        self.assertEqual(self.other.returncode, 0)

    def test_its_host_is_gone(self):
        """Clients, workers and MariaDB lose it at once, and nobody is told."""
        until("they share", lambda: self.slots() == {"broker-1": 8, "broker-2": 8}, 30)
        self.load.wait_for(len(self.load.ended) + 100)
        self.network.cut()
        open_then = self.open_now()
        self.all_end("a broker's host", open_then, 40)
        self.network.heal()
        until("they share again", lambda: self.slots() == {"broker-1": 8, "broker-2": 8}, 30)
        self.ends_well()


if __name__ == "__main__":
    unittest.main()
