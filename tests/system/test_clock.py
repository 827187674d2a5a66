"""The machine's clock is set a day forward or back under load, or one host's is a day off (R6, I8): nothing
that was accepted waits for a day to come by again, nothing is lost or done twice, and what follows from a
revocation follows. The programs, MariaDB among them, get another wall clock by tests/system/wall_clock.c; the test's
own stays."""
import json
import os
import struct
import unittest

from faults import Load, check_exactly_once
from harness import BUILD, Stack, until
from people import KINDS, Applicant, all_mails, hashed, openssl

DAY = 24 * 3600 * 1000


class WallClock:
    """What programs take for the time, while they are started `with` it and for as long as they run."""

    def __init__(self, folder, name, shift_ms=0):
        self.path = folder / f"clock-{name}"
        self.path.write_bytes(struct.pack("=q", shift_ms))

    def step(self, shift_ms):
        with open(self.path, "r+b") as file:  # in place: it is mapped
            file.write(struct.pack("=q", shift_ms))

    def __enter__(self):
        library = BUILD / "tests" / "wall_clock.so"
        assert library.exists(), f"{library} is not built"
        self.before = dict(os.environ)
        os.environ.update(LD_PRELOAD=str(library), CERTQ_WALL_CLOCK=str(self.path),
                          ASAN_OPTIONS=os.environ.get("ASAN_OPTIONS", "") + ":verify_asan_link_order=0")

    def __exit__(self, *_):
        os.environ.clear()
        os.environ.update(self.before)


class ClockCase(unittest.TestCase):

    def setUp(self):
        self.stack = Stack(crl_soon="3s")
        self.addCleanup(self.stack.close)
        self.behave = self.stack.folder / "behave.json"
        self.ended = {}  # the applications of single people

    def be(self, **manners):
        new = self.behave.with_suffix(".new")
        new.write_text(json.dumps(manners))
        os.replace(new, self.behave)

    def apply(self, who, client):
        id = client.submit("issue", who.issue_args(password=hashed(who.password)))
        self.ended[id] = client.done(id)
        who.certificate = self.ended[id]["result"]["certificate"]

    def holder(self, client):
        """Somebody with a certificate; returns its serial too."""
        who = Applicant(self.stack)
        self.apply(who, client)
        got = who.retrieve(client)
        self.assertEqual(got["state"], "done", got)
        return who, got["result"]["serial"].upper()

    def revoke(self, client, who):
        answer = who.revoke(client, reason="cessationOfOperation")  # not urgent: its CRL waits for others
        self.assertEqual(answer["state"], "done", answer)

    def on_the_list(self, serial):
        path = self.stack.folder / "crl" / "person-ca.crl"

        def there():
            return path.exists() and serial in openssl("crl", "-inform", "DER", "-in", path, "-noout",
                                                       "-text").stdout.decode()
        until(f"a CRL with {serial}", there)


class Stepped(ClockCase):

    def test_forward_and_back_under_load(self):
        clock = WallClock(self.stack.folder, "all")
        with clock:
            self.stack.__enter__()
            self.stack.start_catcher("--behave", self.behave)
            self.start()
        load = Load(self.stack, outstanding=60)
        with self.stack.client() as client:
            for was, shift in ((0, DAY), (DAY, 0), (0, -DAY), (-DAY, 0)):
                with self.subTest(was=was, shift=shift):
                    load.wait_for(len(load.ended) + 60)
                    who, serial = self.holder(client)
                    late = self.put_off(client)
                    self.revoke(client, who)
                    clock.step(shift)
                    self.be()
                    self.on_the_list(serial)
                    until("its mail comes", late.code_mails)
                    load.wait_for(len(load.ended) + 60)
                    self.broker.stop()  # and what a broker reads that was stored before
                    self.worker.stop()
                    self.mailer.stop()
                    with clock:
                        self.start()
        load.finish()
        until("all is done", lambda: self.stack.count("job") == 0, 40)
        load.ended.update(self.ended)
        check_exactly_once(self, self.stack, load, mails=False)
        self.check_mails()
        self.stack.certq("audit", "verify")
        self.stack.drain()

    def start(self):
        self.broker = self.stack.start_broker()
        self.worker = self.stack.start_worker(KINDS, name="worker")
        self.mailer = self.stack.start_worker("mail", name="mail")

    def put_off(self, client):
        """Somebody whose mail waits for another try."""
        self.be(MAIL="451 4.3.0 later")
        who = Applicant(self.stack)
        self.apply(who, client)
        until("it is put off", lambda: self.stack.sql("SELECT COUNT(*) FROM mail WHERE state = 'deferred' AND "
                                                      f"recipient = '{who.email}'") == [["1"]])
        return who

    def check_mails(self):
        """All are sent, and whatever came twice is the same mail."""
        self.assertEqual(self.stack.count("mail", "state != 'sent'"), 0)
        kept = [message for messages in all_mails(self.stack).values() for message in messages]
        self.assertEqual(len(set(kept)), len({id for id, _ in kept}))
        self.assertEqual(len(set(kept)), self.stack.count("mail"))


class OneHost(ClockCase):

    def test_a_day_off(self):
        """The broker's, the workers' or the mail worker's clock is wrong: whose it is, all is done."""
        with WallClock(self.stack.folder, "right"):
            self.stack.__enter__()
            self.stack.start_catcher()
        for broker, worker, mail in ((DAY, 0, 0), (-DAY, 0, 0), (0, DAY, 0), (0, -DAY, 0), (0, 0, DAY), (0, 0, -DAY)):
            with self.subTest(broker=broker, worker=worker, mail=mail):
                name = f"{broker}{worker}{mail}"
                with WallClock(self.stack.folder, f"broker{name}", broker):
                    processes = [self.stack.start_broker()]
                with WallClock(self.stack.folder, f"worker{name}", worker):
                    processes.append(self.stack.start_worker(KINDS, name="worker"))
                with WallClock(self.stack.folder, f"mail{name}", mail):
                    processes.append(self.stack.start_worker("mail", name="mail"))
                with self.stack.client() as client:
                    who, serial = self.holder(client)
                    self.revoke(client, who)
                    self.on_the_list(serial)
                until("no job is left", lambda: self.stack.count("job") == 0, 20)
                for process in reversed(processes):
                    self.assertEqual(process.stop(), 0)
        self.stack.drain()


if __name__ == "__main__":
    unittest.main()
