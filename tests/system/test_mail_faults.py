"""Mail servers that refuse, break off, hang and die, and mail workers that are killed: the right fate for
each mail, the others unharmed, nothing missing, repeats the same mail (X1, I5)."""
import json
import os
import signal
import time
import unittest

from harness import until
from people import CODE, Applicant, StackCase, all_mails, body_of, hashed, mails_to


class MailFaults(StackCase):
    OPTIONS = {"smtp_timeout": "2s"}

    @classmethod
    def start(cls, stack):
        cls.behave = stack.folder / "behave.json"
        cls.catcher = stack.start_catcher("--behave", cls.behave)
        cls.broker = stack.start_broker()
        cls.worker = stack.start_worker("issue,decide,lookup,retrieve,revoke,crl,inspect",
                                        name="worker")
        cls.mail_worker = stack.start_worker("mail", name="mail")

    def setUp(self):
        super().setUp()
        self.be()
        self.addCleanup(self.be)

    def be(self, **manners):
        """Changes the server's manners."""
        new = self.behave.with_suffix(".new")
        new.write_text(json.dumps(manners))
        os.replace(new, self.behave)

    def applied(self, count):
        """So many people who have applied."""
        people = [Applicant(self.stack) for _ in range(count)]
        ids = [self.client.submit("issue", who.issue_args(password=hashed(who.password))) for who in people]
        for who, id in zip(people, ids):
            who.certificate = self.done(self.client.done(id))["certificate"]
        return people

    def mail_of(self, who):
        found = self.stack.certq_json("mail", "list", "--to", who.email)
        return found[0] if found else None

    def state_of(self, who):
        rows = self.stack.sql(f"SELECT state FROM mail WHERE recipient = '{who.email}'")
        return rows[0][0] if rows else None

    def sent(self, people):
        until("all are sent", lambda: all(self.state_of(who) == "sent" for who in people))
        for who in people:
            kept = {(m["Message-ID"], body_of(m)) for m in mails_to(self.stack, who.email)}
            self.assertEqual(len(kept), 1, f"{who.email}: {kept}")

    # --- one address among many ---

    def test_one_bad_address_among_many(self):
        people = self.paused_then(20, lambda bad: {"RCPT": {bad: "550 5.1.1 no such user"}})
        bad, rest = people[7], people[:7] + people[8:]
        self.sent(rest)
        until("it is rejected", lambda: self.state_of(bad) == "rejected")
        mail = self.mail_of(bad)
        self.assertEqual((mail["state"], mail["recipient"], mail["tries"]), ("rejected", bad.email, 1))
        self.assertEqual(mail["reply"], "550 5.1.1 no such user")
        shown = self.stack.certq_json("mail", "show", mail["mail"])[0]
        self.assertIn("no such user", json.dumps(shown))
        self.assertEqual(mails_to(self.stack, bad.email), [])
        self.assertEqual(self.stack.count("audit", "event = 'mail.rejected'"), 1)

    def test_one_address_put_off_among_many(self):
        people = self.paused_then(20, lambda bad: {"RCPT": {bad: "451 4.2.1 try later"}})
        bad, rest = people[7], people[:7] + people[8:]
        self.sent(rest)
        until("it is put off", lambda: (self.mail_of(bad) or {}).get("tries", 0) >= 2)
        self.assertEqual(self.state_of(bad) in ("deferred", "sending"), True)
        self.assertEqual(mails_to(self.stack, bad.email), [])
        self.be()
        self.sent([bad])

    def paused_then(self, count, manners):
        """People whose mails wait until the server has `manners` (made from the eighth address)."""
        self.stack.certq("queue", "pause", "mail")
        people = self.applied(count)
        self.be(**manners(people[7].email))
        self.stack.certq("queue", "resume", "mail")
        return people

    # --- the server at each command ---

    def test_everything_is_put_off_for_a_while(self):
        rows = {"CONNECT": "421 4.3.2 not now +drop", "EHLO": "421 4.3.2 closing +drop",
                "MAIL": "451 4.3.0 later",
                "RCPT": "450 4.2.1 later", "DATA": "452 4.3.1 full", "EOM": "451 4.3.0 later",
                "RSET": "421 bye +drop",
                "BODY": "drop"}
        for command, action in rows.items():
            with self.subTest(command):
                self.be(**{command: action})
                people = self.applied(3)
                if command != "RSET":  # it may not be needed
                    until("it was tried", lambda: all((self.mail_of(w) or {}).get("tries",
                                                                                  0) >= 1 for w in people))
                    self.assertEqual([w.email for w in people if mails_to(self.stack, w.email)], [])
                self.be()
                self.sent(people)

    def test_refused_for_good_at_each_command(self):
        for command in ("RCPT", "DATA", "EOM"):
            with self.subTest(command):
                people = self.paused_then(9, lambda bad: {command: {bad: "554 5.7.1 not this one"}})
                bad = people.pop(7)
                self.sent(people)
                until("it is rejected", lambda: self.state_of(bad) == "rejected")
                self.assertEqual(mails_to(self.stack, bad.email), [])

    def test_dropped_inside_the_data(self):
        people = self.paused_then(10, lambda bad: {"BODY": {bad: "drop"}})
        bad = people.pop(7)
        self.sent(people)
        until("it was tried", lambda: (self.mail_of(bad) or {}).get("tries", 0) >= 1)
        self.assertEqual(mails_to(self.stack, bad.email), [])
        self.be()
        self.sent([bad])

    def test_in_doubt_it_is_sent_again_and_is_the_same(self):
        people = self.paused_then(10, lambda bad: {"EOM": {bad: "keep drop"}})
        bad = people.pop(7)
        self.sent(people)
        until("it was kept twice", lambda: len(mails_to(self.stack, bad.email)) >= 2)
        self.be()
        self.sent([bad])
        mails = mails_to(self.stack, bad.email)
        self.assertEqual(len({(m["Message-ID"], m["Date"], m["Subject"], m["To"],
                               m["From"]) for m in mails}), 1)
        self.assertEqual(len({CODE.search(body_of(m)).group() for m in mails}), 1)

    def test_a_server_that_never_answers(self):
        people = self.paused_then(10, lambda bad: {"RCPT": {bad: "hang"}})
        bad = people.pop(7)
        self.sent(people)
        self.be()
        self.sent([bad])

    def test_a_slow_server(self):
        self.be(slow_ms=30)
        self.sent(self.applied(8))

    def test_the_server_is_down_then_up(self):
        self.assertEqual(self.catcher.stop(), 0)
        people = self.applied(5)
        until("they were tried", lambda: all((self.mail_of(w) or {}).get("tries",
                                                                         0) >= 1 for w in people))
        type(self).catcher = self.stack.start_catcher("--behave", self.behave)
        self.sent(people)

    # --- the mail worker ---

    def test_the_mail_worker_is_killed_in_mid_session(self):
        self.be(slow_ms=3)
        people = self.applied(60)
        for _ in range(3):
            before = len(all_mails(self.stack))
            until("mails go out", lambda: len(all_mails(self.stack)) > before + 2 or self.all_sent(people))
            self.mail_worker.signal(signal.SIGKILL)
            type(self).mail_worker = self.stack.start_worker("mail", name="mail")
        self.be()
        self.sent(people)
        for who in people:
            self.assertGreaterEqual(len(mails_to(self.stack, who.email)), 1)

    def all_sent(self, people):
        return all(self.state_of(who) == "sent" for who in people)

    # --- mails that are no longer true ---

    def test_a_code_that_is_dead_is_not_mailed(self):
        self.stack.certq("queue", "pause", "mail")
        self.addCleanup(self.stack.certq, "queue", "resume", "mail")
        dead, alive = self.applied(2)
        self.done(dead.revoke(self.client, reason="cessationOfOperation"))
        self.stack.certq("queue", "resume", "mail")
        self.sent([alive])
        until("its job has ended", lambda: self.stack.count("job", "kind = 'mail'") == 0)
        self.assertEqual([m for m in mails_to(self.stack, dead.email) if CODE.search(body_of(m))], [])
        code_mail = self.stack.sql(f"SELECT state FROM mail WHERE recipient = '{dead.email}' AND "
                                   "template LIKE '%code%'")
        self.assertIn(code_mail, ([], [["superseded"]]))

    def test_no_revocation_waits_for_mail(self):
        self.be(CONNECT="hang")
        who, = self.applied(1)
        began = time.monotonic()
        self.done(who.revoke(self.client, reason="superseded"))
        self.assertLess(time.monotonic() - began, 5)
        self.be()


if __name__ == "__main__":
    unittest.main()
