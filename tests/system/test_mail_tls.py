"""A mail server whose TLS is refused or cannot be trusted (R4): nothing is said to it, each mail is put off and none
is lost or rejected; when it is right again all are sent, once."""
import json
import os
import unittest

from harness import Stack, until
from people import KINDS, Applicant, hashed, mails_to, openssl


class TlsStack(Stack):

    def write_config(self):
        super().write_config()
        path = self.config_path()
        old = f"port: {self.smtp or 25}, timeout: {self.smtp_timeout}"
        text = path.read_text()
        assert text.count(old) == 1
        path.write_text(text.replace(old, f"{old}, tls: starttls, tls_ca: {self.folder}/mail-ca.pem"))


class MailTls(unittest.TestCase):

    def setUp(self):
        self.stack = stack = TlsStack(smtp_timeout="2s")
        self.addCleanup(stack.close)
        self.behave = stack.folder / "behave.json"
        self.be()
        for name, alternative, days in (("right", "IP:127.0.0.1", 2), ("other", "DNS:mail.example.org", 2),
                                        ("old", "IP:127.0.0.1", -1), ("unknown", "IP:127.0.0.1", 2)):
            self.certify(name, alternative, days)
        trusted = [(stack.folder / f"{name}.pem").read_text() for name in ("right", "other", "old")]
        (stack.folder / "mail-ca.pem").write_text("".join(trusted))
        stack.__enter__()
        self.serve("right")
        stack.start_broker()
        stack.start_worker(KINDS, name="worker")
        stack.start_worker("mail", name="mail")

    def certify(self, name, alternative, days):
        base = self.stack.folder / name
        openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", f"/CN={name}", "-addext",
                f"subjectAltName={alternative}", "-keyout", f"{base}.key", "-out", f"{base}.csr")
        openssl("x509", "-req", "-in", f"{base}.csr", "-signkey", f"{base}.key", "-days", str(days),
                "-copy_extensions", "copy", "-out", f"{base}.pem")

    def serve(self, name):
        if self.stack.catcher:
            self.stack.catcher.stop()
        base = self.stack.folder / name
        self.stack.start_catcher("--behave", self.behave, "--cert", f"{base}.pem", "--key", f"{base}.key")

    def be(self, **manners):
        new = self.behave.with_suffix(".new")
        new.write_text(json.dumps(manners))
        os.replace(new, self.behave)

    def are(self, people, where):
        """All their mails."""
        named = ", ".join(f"'{who.email}'" for who in people)
        return self.stack.count("mail", f"recipient IN ({named}) AND {where}") == len(people)

    def test_no_mail_without_tls_that_is_right(self):
        faults = [("right", {"STARTTLS": "454 not now"}, "454 not now"), ("right", {"STARTTLS": "554 no TLS"}, "554"),
                  ("right", {"no_starttls": True}, "offers no STARTTLS"), ("right", {"STARTTLS": "drop"}, "lost"),
                  ("right", {"STARTTLS": "220 go +drop"}, "TLS"), ("right", {"STARTTLS": "220 go +hang"}, "TLS"),
                  ("right", {"MAIL": "drop"}, "lost"), ("other", {}, "mismatch"), ("old", {}, "expired"),
                  ("unknown", {}, "self")]
        with self.stack.client() as client:
            for name, manners, why in faults:
                with self.subTest(name, manners=manners):
                    if name != "right":
                        self.serve(name)
                    self.be(**manners)
                    people = [Applicant(self.stack) for _ in range(3)]
                    ids = [client.submit("issue", who.issue_args(password=hashed(who.password))) for who in people]
                    self.assertEqual({client.done(id)["state"] for id in ids}, {"done"})
                    until(f"all are put off: {why}", lambda: self.are(
                        people, f"state IN ('deferred', 'sending') AND tries > 0 AND reply LIKE '%{why}%'"))
                    self.assertEqual([mails_to(self.stack, who.email) for who in people], [[], [], []])
                    self.be()
                    if name != "right":
                        self.serve("right")
                    until("all are sent", lambda: self.are(people, "state = 'sent'"))
                    self.assertEqual([len(mails_to(self.stack, who.email)) for who in people], [1, 1, 1])
        self.stack.drain()


if __name__ == "__main__":
    unittest.main()
