"""Processes die, hang and come back at the worst moments; every accepted job is done exactly once (X1, I1
to I5) and no decision is taken twice (I11). Random choices come from a seed that is printed; CERTQ_SEED
repeats it."""
import os
import random
import signal
import sys
import time
import unittest

from faults import Line, Load, check_exactly_once, worker_over
from harness import Stack, make_key_and_csr, until
from people import KINDS, OPERATOR, Applicant, hashed, openssl, uuid_hex

SEED = int(os.environ.get("CERTQ_SEED") or random.SystemRandom().randrange(1 << 32))


class FaultCase(unittest.TestCase):
    """A fresh installation for each test, ended as operators would end it."""
    BROKERS = 1

    def setUp(self):
        self.random = random.Random(SEED)
        self.stack = Stack(brokers=self.BROKERS)
        self.addCleanup(self.stack.close)
        self.stack.__enter__()
        self.stack.start_catcher()
        self.broker = self.stack.start_broker()

    def worker(self, name=None, **options):
        return self.stack.start_worker(KINDS, name=name, **options)

    def mail_worker(self):
        return self.stack.start_worker("mail", name="mail")

    def running(self, at_least=1):
        """Until the broker says that so many issue jobs are with workers."""
        def now():
            rows = self.stack.certq_json("queue", "list")
            return next(r for r in rows if r["kind"] == "issue")["running"] >= at_least
        until(f"{at_least} jobs running", now)


class Killed(FaultCase):

    def test_workers_are_killed_under_load(self):
        workers = [self.worker(), self.worker()]
        mail = self.mail_worker()
        load = Load(self.stack, outstanding=300)
        for _ in range(6):
            load.wait_for(len(load.ended) + self.random.randrange(20, 120))
            at = self.random.randrange(3)
            if at == 2:
                mail.kill()
                mail = self.mail_worker()
            else:
                workers[at].kill()
                workers[at] = self.stack.start_worker(KINDS, wait=False)
        load.finish()
        check_exactly_once(self, self.stack, load)
        self.stack.drain()

    def test_the_broker_is_killed_with_accepted_jobs(self):
        self.stack.certq("queue", "pause", "issue")
        load = Load(self.stack, outstanding=400, most=400)
        load.wait_accepted(400)
        self.broker.kill()
        self.assertGreaterEqual(self.stack.count("job", "kind = 'issue'"), 400)  # I1
        self.worker(wait=False)
        self.mail_worker_soon = self.stack.start_worker("mail", wait=False)
        self.broker = self.stack.start_broker()
        self.assertEqual(self.stack.count("job_history"), 0)  # still paused
        self.stack.certq("queue", "resume", "issue")
        load.wait_for(self.random.randrange(20, 200))
        self.broker.kill()  # once more, with groups in flight
        self.broker = self.stack.start_broker()
        load.finish()
        check_exactly_once(self, self.stack, load)
        self.stack.drain()

    def test_mariadb_is_killed_under_load(self):
        self.worker(), self.worker(), self.mail_worker()
        load = Load(self.stack, outstanding=200)
        for _ in range(2):
            load.wait_for(len(load.ended) + self.random.randrange(50, 150))
            self.stack.kill_mariadb()
            self.stack.mariadb("start")
        load.wait_for(len(load.ended) + 20)
        load.finish()
        check_exactly_once(self, self.stack, load)
        self.assertTrue(self.broker.alive())
        self.stack.drain()

    def test_everything_is_killed_at_once(self):
        self.worker(), self.mail_worker()
        load = Load(self.stack, outstanding=200)
        load.wait_for(self.random.randrange(30, 120))
        for process in [p for p in self.stack.processes if p is not self.stack.catcher]:
            process.signal(signal.SIGKILL)
        self.stack.kill_mariadb()
        self.stack.mariadb("start")
        self.stack.start_broker()
        self.worker(), self.mail_worker()
        load.wait_for(len(load.ended) + 20)
        load.finish()
        check_exactly_once(self, self.stack, load)
        self.stack.drain()


class Delayed(FaultCase):

    def test_a_worker_stopped_past_its_lease_comes_back(self):
        slow = self.worker("slow")
        slow.pause()
        load = Load(self.stack, outstanding=50, most=50)
        load.wait_accepted(50)
        self.running()
        self.worker("quick"), self.mail_worker()
        load.wait_for(50)  # the slow one's share too, after its silence
        slow.go_on()
        more = Load(self.stack, outstanding=50, most=100, prefix="more")
        more.finish()
        load.finish()
        check_exactly_once(self, self.stack, load, more)
        until("the slow one serves again", lambda: any(
            w["name"] == "slow" and w["silent_ms"] < 3000 for w in self.stack.certq_json("worker",
                                                                                         "list")))
        self.stack.drain()

    def test_a_worker_dies_between_commit_and_report(self):
        line = Line(self.stack.ports[0][1])
        self.addCleanup(line.close)
        doomed = worker_over(self.stack, line, KINDS, "doomed")
        line.hold()
        load = Load(self.stack, outstanding=20, most=20)
        until("it has committed", lambda: self.stack.count("job_history", "kind = 'issue'") > 0)
        committed = self.stack.count("job_history", "kind = 'issue'")
        doomed.kill()
        line.cut()
        self.assertEqual(load.ended, {})
        self.worker(), self.mail_worker()
        load.finish()
        self.assertGreater(committed, 0)
        check_exactly_once(self, self.stack, load)
        self.stack.drain()

    def test_two_workers_have_the_same_jobs(self):
        """One commits and its report comes late; the other finds them finished. Nothing is done twice."""
        line = Line(self.stack.ports[0][1])
        self.addCleanup(line.close)
        late = worker_over(self.stack, line, KINDS, "late")
        line.hold()
        load = Load(self.stack, outstanding=20, most=20)
        until("it has committed", lambda: self.stack.count("job_history", "kind = 'issue'") > 0)
        groups = self.stack.sql("SELECT LOWER(HEX(id)), LOWER(HEX(group_id)) FROM job_history WHERE kind = 'issue'")
        self.worker("other"), self.mail_worker()
        load.wait_for(20)  # by way of the other one, or of the history
        line.release()
        until("the late one is heard", lambda: any(
            w["name"] == "late" and w["silent_ms"] < 3000 for w in self.stack.certq_json("worker",
                                                                                         "list")))
        load.finish()
        check_exactly_once(self, self.stack, load)
        after = dict(self.stack.sql("SELECT LOWER(HEX(id)), LOWER(HEX(group_id)) FROM job_history"))
        for id, group in groups:  # the first commit is the one that counts
            self.assertEqual(after[id], group)
        self.assertTrue(late.alive())
        self.stack.drain()

    def test_the_broker_is_stopped_while_work_is_done(self):
        worker, _ = self.worker(), self.mail_worker()
        self.stack.certq("queue", "pause", "issue")
        load = Load(self.stack, outstanding=100, most=100)
        load.wait_accepted(100)
        worker.pause()
        self.stack.certq("queue", "resume", "issue")
        self.running()
        self.broker.pause()
        worker.go_on()
        until("it has committed", lambda: self.stack.count("job_history", "kind = 'issue'") > 0)
        worker.kill()
        self.broker.go_on()
        self.worker()
        load.finish()
        check_exactly_once(self, self.stack, load)
        self.stack.drain()


class Drained(FaultCase):

    def test_sigterm_loses_nothing(self):
        first, second = self.worker(), self.worker()
        mail = self.mail_worker()
        load = Load(self.stack, outstanding=200)
        load.wait_for(50)
        self.assertEqual(first.stop(), 0)
        load.wait_for(len(load.ended) + 50)
        self.assertEqual(mail.stop(), 0)
        self.mail_worker()
        self.assertEqual(self.broker.stop(), 0)
        self.broker = self.stack.start_broker()
        load.wait_for(len(load.ended) + 50)
        self.stack.certq("worker", "drain", second.log_path.name.rpartition("-")[0])
        until("it drains", lambda: not second.alive())
        self.assertEqual(second.returncode, 0)
        self.worker()
        load.finish()
        check_exactly_once(self, self.stack, load)
        self.stack.drain()


class TwoBrokers(FaultCase):
    BROKERS = 2

    def test_one_of_two_brokers_is_killed(self):
        other = self.stack.start_broker(1)
        worker = self.worker()
        worker.wait_line(r"(?s)ev=broker\.joined.*ev=broker\.joined")
        self.mail_worker().wait_line(r"(?s)ev=broker\.joined.*ev=broker\.joined")
        until("both hold slots", lambda: all(
            b["slots"] for b in self.stack.certq_json("broker", "list") if "name" in b)
            and len([b for b in self.stack.certq_json("broker", "list") if "name" in b]) == 2)
        self.stack.certq("queue", "pause", "issue")
        waiting = Load(self.stack, outstanding=200, most=200, prefix="waiting")
        waiting.wait_accepted(200)
        self.broker.kill()
        self.stack.certq("queue", "resume", "issue", broker=1)
        began = time.monotonic()
        load = Load(self.stack, outstanding=100)
        until("the dead one's jobs are done", lambda: self.left(waiting) == 0, 15)  # R2
        print(f"adopted and done after {time.monotonic() - began:.1f} s", file=sys.stderr)
        waiting.finish()
        load.wait_for(50)
        load.finish()
        self.assertTrue(other.alive())
        check_exactly_once(self, self.stack, waiting, load)
        self.stack.drain()

    def left(self, load):
        ids = ",".join(f"UNHEX('{uuid_hex(i)}')" for i in load.sent)
        return self.stack.count("job", f"id IN ({ids})")


class Races(FaultCase):
    """
    I11: no two transactions decide on one subscriber from the same state of it. Requests go in bursts to two
    workers, a small random time apart, so that their transactions overlap.
    """

    def people(self, count):
        people = [Applicant(self.stack) for _ in range(count)]
        ids = [self.client.submit("issue", who.issue_args(password=hashed(who.password))) for who in people]
        for who, id in zip(people, ids):
            who.certificate = self.client.done(id)["result"]["certificate"]
        return people

    def start(self, first, second, **options):
        self.stack.start_worker(first, name="one", **options)
        self.stack.start_worker(second, name="two", **options)
        self.mail_worker()
        self.client, self.other = self.stack.client(), self.stack.client()
        self.addCleanup(self.client.close)
        self.addCleanup(self.other.close)
        self.csrs = [make_key_and_csr(self.stack.folder, f"key-{i}")[1] for i in range(2)]

    def apart(self, most_ms):
        end = time.monotonic() + self.random.uniform(0, most_ms / 1000)
        while time.monotonic() < end:
            pass

    def test_retrieval_and_revocation_at_one_instant(self):
        """One order or the other; never a valid certificate after a revocation that said done."""
        self.start("issue,retrieve", "revoke,inspect")
        outcomes = {}
        for _ in range(10):
            people = self.people(8)
            retrieve = [who.retrieve_args(csr=self.csrs[0]) for who in people]
            revoke = [{"certificate": who.certificate, "reason": "superseded",
                       "by": OPERATOR} for who in people]
            retrieved = [self.client.submit("retrieve", args) for args in retrieve]
            self.apart(80)
            revoked = [self.other.submit("revoke", args) for args in revoke]
            for who, first, second in zip(people, retrieved, revoked):
                got, said = self.client.done(first), self.other.done(second)
                self.look_at_race(who, got, said)
                outcomes[got["state"]] = outcomes.get(got["state"], 0) + 1
        print(f"retrieval against revocation: {outcomes}", file=sys.stderr)
        self.stack.drain()

    def look_at_race(self, who, got, said):
        state, serial = self.stack.sql("SELECT state, LOWER(HEX(serial)) FROM certificate WHERE id = "
                                       f"UNHEX('{uuid_hex(who.certificate)}')")[0]
        listed = self.stack.count("revocation", f"certificate = UNHEX('{uuid_hex(who.certificate)}')")
        self.assertEqual(said["state"], "done", said)
        if got["state"] == "done":
            self.assertEqual((state, listed, serial), ("revoked", 1, got["result"]["serial"]))
        else:
            self.assertEqual((got["state"], state, listed), ("refused", "cancelled", 0))

    def test_two_keys_for_one_certificate(self):
        """Whatever came first is certified; the other is refused and leaves no trace."""
        self.start("issue,retrieve", "retrieve,inspect")
        for _ in range(6):
            people = self.people(8)
            requests = [[who.retrieve_args(csr=csr) for who in people] for csr in self.csrs]
            first = [self.client.submit("retrieve", args) for args in requests[0]]
            second = [self.other.submit("retrieve", args) for args in requests[1]]
            for who, a, b in zip(people, first, second):
                answers = [self.client.done(a), self.other.done(b)]
                self.assertEqual(sorted(x["state"] for x in answers), ["done", "refused"])
                won = next(x["result"] for x in answers if x["state"] == "done")
                kept = self.stack.sql("SELECT LOWER(HEX(der)) FROM certificate WHERE id = "
                                      f"UNHEX('{uuid_hex(who.certificate)}')")[0][0]
                self.assertEqual(kept, openssl("x509", "-outform", "DER",
                                               stdin=won["pem"].encode()).stdout.hex())
        self.stack.drain()

    def test_wrong_passwords_at_two_workers_are_all_counted(self):
        self.start("issue,retrieve", "retrieve,inspect", group=3)
        for _ in range(10):
            who, = self.people(1)
            wrong = who.retrieve_args(password="wrong", csr=self.csrs[0])
            ids = [self.client.submit("retrieve", wrong) for _ in range(6)]
            self.assertEqual({self.client.done(id)["state"] for id in ids}, {"refused"})
            right = self.client.run("retrieve", who.retrieve_args(csr=self.csrs[0]))
            self.assertEqual(right["state"], "refused", "six wrong passwords did not lock (D7)")
        self.stack.drain()


if __name__ == "__main__":
    print(f"CERTQ_SEED={SEED}", file=sys.stderr)
    unittest.main()
