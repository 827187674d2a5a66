"""One of two brokers is killed while a million jobs wait (R2): its jobs go on at the other within 15 s, the urgent
first, and clients that wait or ask again lose nothing. CERTQ_BACKLOG is another number of jobs."""
import os
import sys
import time
import unittest

from harness import Stack, until
from test_broker_faults import fill, metric

BACKLOG = int(os.environ.get("CERTQ_BACKLOG") or 1000000)
PIECE = 250000


class Backlog(unittest.TestCase):

    def heads(self, broker):
        """The first job of each slot of this broker, as the hex of its id."""
        rows = self.stack.sql("SELECT s.id FROM slot s JOIN broker b ON b.life = s.broker WHERE b.name = "
                              f"'broker-{broker}'")
        return [self.stack.sql(f"SELECT HEX(id) FROM job WHERE slot = {slot} ORDER BY slot, `rank`, id LIMIT 1")[0][0]
                for slot, in rows]

    def waiting(self, ids):
        return self.stack.count("job", f"id IN ({', '.join(f'0x{id}' for id in ids)})")

    def share(self):
        rows = self.stack.sql("SELECT COUNT(*) FROM slot WHERE broker IS NOT NULL GROUP BY broker")
        return rows == [["8"], ["8"]]

    def test_one_of_two_brokers_is_killed(self):
        self.stack = stack = Stack(brokers=2)
        with stack:
            first, second = stack.start_broker(0), stack.start_broker(1)
            stack.certq("queue", "pause", "noop")
            for at in range(0, BACKLOG, PIECE):
                fill(stack, min(PIECE, BACKLOG - at), first=at)
            stack.start_worker("noop,inspect", name="worker").wait_line(r"(?s)ev=broker\.joined.*ev=broker\.joined")
            until("they share", self.share)
            with stack.client(0) as mine, stack.client(1) as other:
                urgent = [mine.submit("noop", {"n": n}, priority=9) for n in range(20)]
                late = mine.submit("noop", {"n": "late"})
                for id in [*urgent, late]:
                    self.assertEqual(mine.accepted(id)["state"], "accepted")
                heads = self.heads(1)
                self.assertEqual(len(heads), 8)
                first.kill()
                began = time.monotonic()
                stack.certq("queue", "resume", "noop", broker=1)
                for n, id in enumerate(urgent):  # its clients ask again elsewhere, as they should
                    other.send("noop", {"id": id, "args": {"n": n}, "priority": 9})
                began_new = time.monotonic()
                self.assertEqual(other.accepted(other.submit("noop", {}))["state"], "accepted")
                accepted_s = time.monotonic() - began_new
                for id in urgent:
                    self.assertEqual(other.done(id, 15)["state"], "done")
                urgent_s = time.monotonic() - began
                until("the jobs of its slots go on", lambda: self.waiting(heads) == 0, began + 15 - time.monotonic())
                print(f"{BACKLOG} jobs: the urgent done after {urgent_s:.1f} s, all slots go on after "
                      f"{time.monotonic() - began:.1f} s, accepted in {accepted_s:.3f} s, "
                      f"{metric(stack, 'certq_jobs_in_memory', 1)} in memory", file=sys.stderr)
                self.assertLess(metric(stack, "certq_jobs_in_memory", 1), 120000)
                history = stack.count("job_history")
                until("it goes on", lambda: stack.count("job_history") > history + 1000)
                self.assertEqual(stack.sql("SELECT (SELECT COUNT(*) FROM job) + (SELECT COUNT(*) FROM job_history)"),
                                 [[str(BACKLOG + 22)]])
                # Behind a million: it waits its turn, and is known.
                other.send("noop", {"id": late, "args": {"n": "late"}})
                self.assertEqual(other.accepted(late)["state"], "accepted")
            self.assertTrue(second.alive())
            stack.drain()


if __name__ == "__main__":
    unittest.main()
