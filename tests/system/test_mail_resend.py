"""A certificate code sent once more by an operator (A11): the same code in a new mail, until it no longer counts."""
import unittest

from people import CODE, Applicant, StackCase, body_of, mails_to
from harness import until


class Resend(StackCase):

    @classmethod
    def start(cls, stack):
        super().start(stack)
        stack.start_worker("mail-resend", name="resend")

    def resend(self, mail, expected=0):
        done = self.stack.certq("mail", "resend", mail, "--operator", "op1", check=False)
        self.assertEqual(done.returncode, expected, done.stdout + done.stderr)
        return done.stdout + done.stderr

    def mails_of(self, who):
        return self.stack.certq_json("mail", "list", "--to", who.email)

    def test_the_same_code_once_more(self):
        who = Applicant(self.stack)
        who.issue(self.client)
        code = who.code()
        first, = until("the mail's row", lambda: [m for m in self.mails_of(who) if m["state"] == "sent"])
        self.resend(first["mail"])
        mails = until("two mails", lambda: len(who.code_mails()) == 2 and who.code_mails())
        self.assertEqual([CODE.search(body_of(m)).group() for m in mails], [code, code])
        self.assertNotEqual(mails[0]["Message-ID"], mails[1]["Message-ID"])
        self.assertIn("改めてお送りいたします", body_of(mails[1]))
        self.assertEqual(self.stack.count("audit", "event = 'mail.resent' AND actor = 'op1'"), 1)
        shown, = self.stack.certq_json("mail", "show", first["mail"])
        self.assertEqual((shown["recipient"], shown["template"], shown["state"]),
                         (who.email, "certificate-code", "sent"))

        # The code is for a reissue too, so it is sent again for a certificate in hand.
        self.done(who.retrieve(self.client))
        self.resend(first["mail"])
        until("three mails", lambda: len(who.code_mails()) == 3)
        issued = [m for m in self.mails_of(who) if m["template"] == "certificate-issued"]
        self.assertIn("not-offered", self.resend(issued[0]["mail"], 1))

        # Until the certificate is gone.
        self.done(who.revoke(self.client))
        self.assertIn("revoked", self.resend(first["mail"], 1))
        self.assertIn("not-found", self.resend(who.certificate, 1))
        self.assertEqual(len([m for m in mails_to(self.stack, who.email) if CODE.search(body_of(m))]), 3)

    def test_only_operators_may(self):
        answer = self.client.run("mail-resend", {"mail": "01900000-0000-7000-8000-000000000001",
                                                 "by": {"role": "subscriber", "how": "credentials"}})
        self.refused(answer, "forbidden")


if __name__ == "__main__":
    unittest.main()
