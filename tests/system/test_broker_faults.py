"""Brokers when things go away: the database, another broker, memory, this broker itself."""
import json
import signal
import time
import unittest
import uuid

import cqw
from harness import Stack, new_id, until

COLUMNS = "(id, slot, `rank`, kind, priority, run_at_ms, args, fingerprint, client, created_ms)"


def endpoint(stack, broker=0):
    return f"tcp://127.0.0.1:{stack.ports[broker][1]}"


def metric(stack, name, broker=0):
    import urllib.request
    text = urllib.request.urlopen(f"http://127.0.0.1:{stack.ports[broker][2]}/metrics").read().decode()
    return next(int(line.split()[-1]) for line in text.splitlines() if line.startswith(name))


def op(client, service, **body):
    return json.loads(client.call01(service, json.dumps(body).encode())[0])


def fill(stack, n, kind="noop", run_at=None, first=0, priority=5):
    """Rows as another broker would have left them, in all slots, oldest first."""
    run_at = run_at or int(time.time() * 1000) - 3600000
    stack.sql(f"INSERT INTO job {COLUMNS} SELECT UNHEX(CONCAT(LPAD(HEX(seq + {first}), 12, '0'), '7000800000000000', "
              f"LPAD(HEX({run_at} % 65536), 4, '0'))), seq % 16, {run_at} + seq - {priority} * 60000, '{kind}', {priority}, "
              f"{run_at} + seq, '{{}}', REPEAT(CHAR(0), 32), 'local', {run_at} FROM seq_1_to_{n}")


class Drain:
    """A worker that finishes what it gets, remembering the order."""

    def __init__(self, stack, broker=0, **options):
        self.stack, self.order = stack, []
        self.worker = cqw.Worker(endpoint(stack, broker), **options)

    def step(self, seconds=0.1):
        group = self.worker.take(seconds)
        if group:
            ids = ", ".join(f"0x{uuid.UUID(j.id).hex}" for j in group.jobs)
            names = "id, kind, {}client, fingerprint, {}attempt, failures, crashes, created_ms, run_at_ms{}"
            self.stack.sql(
                "START TRANSACTION; INSERT INTO job_history (" + names.format("state, ", "group_id, ", ", finished_ms")
                + ") SELECT " + names.format("'done', ", f"0x{uuid.UUID(group.id).hex}, ", ", run_at_ms")
                + f" FROM job WHERE id IN ({ids}); DELETE FROM job WHERE id IN ({ids}); COMMIT")
            self.order += [j.id for j in group.jobs]
            self.worker.report(group)
        return group

    def until_empty(self, where="1", seconds=60):
        def empty():
            self.step()
            return self.stack.count("job", where) == 0
        until("the queue is empty", empty, seconds)


class DatabaseAway(unittest.TestCase):
    def test_requests_are_answered_and_work_goes_on_when_it_is_back(self):
        with Stack() as stack:
            broker = stack.start_broker()
            with stack.client() as client:
                drain = Drain(stack)
                held = client.submit("noop", {"n": 1})
                group = drain.worker.take()
                cqw.complete(stack, group)
                waiting = client.submit("noop", {"n": 2}, at="2099-01-01T00:00:00Z")
                client.accepted(waiting)
                stack.mariadb("stop")
                drain.worker.report(group)  # what is known without the database is still said
                self.assertEqual(client.done(held)["state"], "done")
                refused = [client.submit("noop", {"n": n}) for n in range(20)]
                start = time.monotonic()
                for id in refused:
                    self.assertEqual(client.done(id)["error"]["code"], "unavailable")
                self.assertLess(time.monotonic() - start, 10)
                self.assertEqual(op(client, "certq.job", op="show", id=held)["error"]["code"], "unavailable")
                self.assertEqual(client.call01("titanic.reply", uuid.UUID(held).hex.encode())[0], b"500")
                self.assertEqual(client.call01("mmi.service", b"noop"), [b"200"])
                stack.mariadb("start")
                client.final.clear()
                def accepted():
                    client.final.pop(refused[0], None)
                    client.send("noop", {"id": refused[0], "args": {"n": 0}})
                    return client.accepted(refused[0])["state"] == "accepted"
                until("it accepts again", accepted)
                drain.until_empty("run_at_ms < 4000000000000")
                self.assertEqual(client.done(refused[0])["state"], "done")
                self.assertEqual(op(client, "certq.job", op="cancel", ids=[waiting])["result"]["jobs"][0]["state"],
                                 "cancelled")
                drain.worker.bye()
            self.assertEqual(broker.stop(), 0)

    def test_a_broker_that_starts_first_waits_for_it(self):
        with Stack() as stack:
            stack.mariadb("stop")
            broker = stack.start_broker()
            with stack.client() as client:
                self.assertEqual(client.run("noop", {})["error"]["code"], "unavailable")
                stack.mariadb("start")
                until("it accepts", lambda: client.accepted(client.submit("noop", {}))["state"] == "accepted")
            self.assertEqual(broker.stop(), 0)


class Adoption(unittest.TestCase):
    def test_a_dead_brokers_jobs_go_on_at_the_other(self):
        with Stack(brokers=2) as stack:
            first = stack.start_broker(0)
            second = stack.start_broker(1)
            with stack.client(0) as a, stack.client(1) as b:
                held = lambda: sorted(len(x["slots"]) for x in op(a, "certq.broker", op="list")["result"]["brokers"])
                until("they share", lambda: held() == [8, 8], 30)
                ids = [a.submit("noop", {"n": n}) for n in range(200)]
                for id in ids:
                    self.assertEqual(a.accepted(id)["state"], "accepted")
                waited = ids[7]
                b.send("certq.job", {"op": "wait", "id": waited, "tag": "w"})  # any broker can be asked
                first.kill()
                killed = time.monotonic()
                drain = Drain(stack, 1)
                drain.until_empty()
                self.assertLess(time.monotonic() - killed, 25)
                self.assertEqual(sorted(drain.order), sorted(ids))
                answers = [b.receive() for _ in range(2)]
                self.assertEqual(answers[1][2]["result"]["state"], "done", answers)
                # A repeat at the other broker gives the answer the first one cannot give any more.
                b.send("noop", {"id": ids[0], "args": {"n": 0}})
                self.assertEqual(b.done(ids[0])["state"], "done")
                drain.worker.bye()
            self.assertEqual(second.stop(), 0)
            self.assertEqual(stack.sql("SELECT COUNT(*) FROM slot WHERE broker IS NOT NULL"), [["0"]])

    def test_a_stopped_broker_does_not_dispatch_what_it_lost(self):
        with Stack(brokers=2) as stack:
            first, second = stack.start_broker(0), stack.start_broker(1)
            with stack.client(0) as a:
                until("they share", lambda: sorted(
                    len(x["slots"]) for x in op(a, "certq.broker", op="list")["result"]["brokers"]) == [8, 8])
                ids = [a.submit("noop", {"n": n}) for n in range(50)]
                for id in ids:
                    a.accepted(id)
                first.signal(signal.SIGSTOP)
                drain = Drain(stack, 1)
                drain.until_empty()
                other = Drain(stack, 0)  # waits for the stopped one
                first.signal(signal.SIGCONT)
                self.assertTrue(other.worker.wait(lambda: other.worker.welcomes))
                group = other.worker.take(3)
                self.assertIsNone(group, "it dispatched jobs of slots it no longer leases")
                for id in ids:
                    self.assertEqual(a.done(id)["state"], "done")  # and it answers who waited there
                until("they share again", lambda: sorted(
                    len(x["slots"]) for x in op(a, "certq.broker", op="list")["result"]["brokers"]) == [8, 8])
                drain.worker.bye()
                other.worker.bye()
            self.assertEqual((first.stop(), second.stop()), (0, 0))


class Memory(unittest.TestCase):
    def test_a_conflict_does_not_reach_who_waits_for_the_forgotten_job(self):
        with Stack(broker_extra="  jobs_in_memory: 100") as stack:
            broker = stack.start_broker()
            with stack.client() as mine, stack.client() as other:
                ids = [mine.submit("noop", {"n": n}) for n in range(300)]
                for id in ids:
                    self.assertEqual(mine.accepted(id)["state"], "accepted")
                for id in ids:  # whether in memory or forgotten
                    other.send("noop", {"id": id, "args": {"n": "another"}})
                for id in ids:
                    self.assertEqual(other.done(id)["error"]["code"], "conflict")
                drain = Drain(stack)
                drain.until_empty()
                for id in ids:
                    self.assertEqual(mine.done(id)["state"], "done")
                drain.worker.bye()
            self.assertEqual(broker.stop(), 0)

    def test_a_backlog_larger_than_memory_is_done_in_order(self):
        with Stack(broker_extra="  jobs_in_memory: 400") as stack:
            fill(stack, 5000)
            broker = stack.start_broker()
            drain = Drain(stack, group=50)
            most = 0
            def empty():
                nonlocal most
                drain.step()
                most = max(most, metric(stack, "certq_jobs_in_memory"))
                return len(drain.order) >= 5000
            until("all is done", empty, 120)
            self.assertEqual(stack.count("job"), 0)
            self.assertEqual(len(set(drain.order)), 5000)
            self.assertLess(most, 600)
            # Ids rise with run_at: about in order, across slots.
            late = sum(1 for i, id in enumerate(drain.order) if abs(int(id[:8] + id[9:13], 16) - i) > 1500)
            self.assertLess(late, 500)
            drain.worker.bye()
            self.assertEqual(broker.stop(), 0)

    def test_what_is_forgotten_comes_back_and_urgent_ones_never_wait(self):
        with Stack(broker_extra="  jobs_in_memory: 100") as stack:
            broker = stack.start_broker()
            with stack.client() as client:
                ids = [client.submit("noop", {"n": n}) for n in range(1000)]
                for id in ids:
                    self.assertEqual(client.accepted(id)["state"], "accepted")
                urgent = client.submit("noop", {"n": "urgent"}, priority=9)
                client.accepted(urgent)
                until("memory is bounded", lambda: metric(stack, "certq_jobs_in_memory") <= 100)
                drain = Drain(stack, credit=1, urgent=0, group=20)
                drain.step(20)
                self.assertIn(urgent, drain.order)
                drain.until_empty()
                for id in [*ids, urgent]:
                    self.assertEqual(client.done(id)["state"], "done")
                self.assertEqual(len(set(drain.order)), 1001)
                drain.worker.bye()
            self.assertEqual(broker.stop(), 0)

    def test_a_kind_nobody_serves_does_not_stop_the_others(self):
        with Stack(broker_extra="  jobs_in_memory: 200") as stack:
            fill(stack, 3000, "mail")
            broker = stack.start_broker()
            with stack.client() as client:
                drain = Drain(stack)
                until("mail is parked", lambda: "ev=kind.parked kind=mail" in broker.log())
                for n in range(100):
                    id = client.submit("noop", {"n": n})
                    until("done", lambda: drain.step() and drain.order[-1] == id)
                fill(stack, 100, "noop", first=100000)  # behind the mails, in the table only
                def done():
                    drain.step()
                    return stack.count("job", "kind = 'noop'") == 0
                until("what was behind is done too", done, 60)
                mails = Drain(stack, kinds=("mail",))
                until("mails go", lambda: mails.step() and stack.count("job") == 0, 60)
                self.assertEqual(len(set(mails.order)), 3000)
                drain.worker.bye()
                mails.worker.bye()
            self.assertEqual(broker.stop(), 0)


class Ending(unittest.TestCase):
    def test_a_drain_lets_groups_end_and_a_second_signal_does_not(self):
        with Stack() as stack:
            broker = stack.start_broker()
            with stack.client() as client:
                drain = Drain(stack)
                id = client.submit("noop", {})
                group = drain.worker.take()
                broker.signal(signal.SIGTERM)
                broker.wait_line(r"ev=broker\.draining")
                self.assertEqual(client.run("noop", {})["error"]["code"], "unavailable")
                cqw.complete(stack, group)
                drain.worker.report(group)
                self.assertEqual(client.done(id)["state"], "done")
                self.assertEqual(broker.process.wait(20), 0)
                self.assertEqual(stack.sql("SELECT COUNT(*) FROM broker"), [["0"]])
                drain.worker.die()
            broker = stack.start_broker()
            with stack.client() as client:
                drain = Drain(stack)
                client.submit("noop", {})
                drain.worker.take()
                broker.signal(signal.SIGTERM)
                broker.wait_line(r"ev=broker\.draining")
                broker.signal(signal.SIGTERM)
                self.assertEqual(broker.process.wait(5), 1)
                drain.worker.die()

    def test_a_port_taken_or_a_bad_configuration_is_named(self):
        with Stack() as stack:
            broker = stack.start_broker()
            second = stack.start_broker(wait=False)
            self.assertEqual(second.process.wait(30), 69)
            self.assertIn("broker.clients", second.log())
            stack.config_path().write_text(stack.config_path().read_text() + "\nnonsense: 1\n")
            third = stack.start_broker(wait=False)
            self.assertEqual(third.process.wait(30), 78)
            self.assertIn("nonsense", third.log())
            self.assertEqual(broker.stop(), 0)


if __name__ == "__main__":
    unittest.main()
