"""Service E as its documents describe it (E1 to E5), through the real programs with the test clock: no code and no
mail to obtain a certificate, notices by mail and on the screen, renewal on line, a first retrieval after expiry."""
import unittest

from harness import SUBSCRIBER, make_key_and_csr, until
from people import CODE, KINDS, OPERATOR, Applicant, DatedCase, body_of, dates, mails_to, openssl, signed

COMPANY = "000000077"
SESSION = {"role": "holder", "how": "session"}
SIGNATURE = {"role": "holder", "how": "signature"}


class User(Applicant):
    """One user id of a company; its key stays with it."""

    def __init__(self, stack, client, role):
        super().__init__(stack, product="online-banking")
        self.client = client
        self.subscriber = {**self.subscriber, "role": role,
                           "organisation": {**SUBSCRIBER["organisation"], "company_code": COMPANY}}
        self.keys = 0

    def new_csr(self):
        self.keys += 1
        self.key, csr = make_key_and_csr(self.stack.folder, f"key-{self.user_id}-{self.keys}")
        return csr

    def obtain(self, csr=None):
        """The way of a first retrieval: user id and password (E5)."""
        return self.client.run("retrieve", {"user_id": self.user_id, "company_code": COMPANY,
                                            "password": self.password, "csr": csr or self.new_csr()})

    def renew(self, csr=None, **more):
        args = {"user_id": self.user_id, "company_code": COMPANY, "csr": csr or self.new_csr(), "by": SESSION}
        return self.client.run("renew", {**args, **more})

    def screen(self):
        answer = self.client.run("notices", {"company_code": COMPANY, "user_id": self.user_id, "by": SESSION})
        return answer["result"]["notices"]


class Banking(DatedCase):
    SERVES = KINDS + ",renew,change,expiry-scan,notices"

    def user(self, role="user"):
        who = User(self.stack, self.client, role)
        who.issue(self.client)
        return who, self.done(who.obtain())

    def notices(self, who):
        return [m for m in mails_to(self.stack, who.email) if "満了のお知らせ" in m["Subject"]]

    def scan(self):
        return self.done(self.client.run("expiry-scan", {"product": "online-banking"}))["products"]["online-banking"]

    def test_from_the_first_retrieval_to_the_next(self):
        # E1: one year, to the end of the day in Japan; each user id on its own.
        self.at("2026-04-01T10:00")
        admin, first = self.user("administrator")
        clerk, other = self.user()
        self.assertEqual(first["not_after"], "2027-04-01T14:59:59Z")
        self.assertNotEqual(first["certificate"], other["certificate"])
        self.assertEqual(dates(first["pem"])[1], "2027-04-01 14:59:59Z")
        self.assertFalse([m for m in mails_to(self.stack, admin.email) if CODE.search(body_of(m))])

        # E4: not before the window.
        self.at("2027-03-01T23:59")
        self.assertEqual(admin.screen(), [])
        self.refused(admin.renew(), "too-early")

        # E2, E3: thirty days before, by mail and on the screen.
        self.at("2027-03-02T00:01")
        self.assertEqual([n["days_left"] for n in admin.screen()], [30])
        self.assertEqual(self.scan()["sent"], 2)
        until("the notice", lambda: len(self.notices(admin)) == 1)

        # E4: on line by the holder, installed at once; the notice goes.
        self.refused(admin.renew(by={"role": "subscriber", "how": "session"}), "forbidden")
        csr = admin.new_csr()
        job = self.client.submit("renew", {"user_id": admin.user_id, "company_code": COMPANY, "csr": csr,
                                           "by": SESSION})
        renewed = self.done(self.client.done(job))
        self.assertEqual((renewed["state"], renewed["predecessor"], renewed["not_after"]),
                         ("issued", first["certificate"], "2028-03-02T14:59:59Z"))
        public = openssl("x509", "-noout", "-pubkey", stdin=renewed["pem"].encode()).stdout
        self.assertEqual(public, openssl("pkey", "-in", admin.key, "-pubout").stdout)
        self.assertEqual(self.row(first["certificate"])[0], "valid")  # it lives to its end
        self.assertEqual(admin.screen(), [])
        self.assertEqual([n["days_left"] for n in clerk.screen()], [30])
        self.refused(admin.renew(certificate=first["certificate"]), "already-renewed")
        # X2: the same job again is the same certificate.
        again = self.client.run("renew", {"user_id": admin.user_id, "company_code": COMPANY, "csr": csr,
                                          "by": SESSION}, id=job)
        self.assertEqual(again["result"]["serial"], renewed["serial"])

        # E2: ten days before, only who has not renewed.
        self.at("2027-03-22T09:00")
        self.assertEqual(self.scan()["sent"], 1)
        until("the second notice", lambda: len(self.notices(clerk)) == 2)
        self.assertEqual(len(self.notices(admin)), 1)

        # E5: after expiry a certificate is obtained anew, which is no renewal; no code, no application.
        self.at("2027-04-02T00:00:01")
        self.refused(clerk.renew(), "expired")
        self.assertEqual(clerk.screen(), [])
        csr = clerk.new_csr()
        anew = self.done(clerk.obtain(csr))
        self.assertEqual(anew["not_after"], "2028-04-02T14:59:59Z")
        self.assertEqual(self.done(clerk.obtain(csr))["serial"], anew["serial"])  # X6
        self.refused(clerk.obtain(), "already-retrieved")

    def test_signed_by_its_own_key(self):
        """E4 without a login: the certificate's key asks."""
        self.at("2026-04-01T10:00")
        who, first = self.user()
        other, theirs = self.user()
        key, their_key = who.key, other.key
        self.at("2027-03-10T10:00")
        args = {"certificate": first["certificate"], "csr": who.new_csr(), "by": SIGNATURE}
        self.refused(self.client.run("renew", args), "bad-request")  # no signature
        job, wrong = signed(self.stack.folder, their_key, theirs["pem"], "renew", first["certificate"], args)
        self.refused(self.client.run("renew", wrong, id=job), "bad-signature")
        job, right = signed(self.stack.folder, key, first["pem"], "renew", first["certificate"], args)
        self.refused(self.client.run("renew", right), "bad-signature")  # as another job: no replay
        job, right = signed(self.stack.folder, key, first["pem"], "renew", first["certificate"], args)
        self.refused(self.client.run("renew", {**right, "csr": who.new_csr()}, id=job), "bad-signature")
        job, right = signed(self.stack.folder, key, first["pem"], "renew", first["certificate"], args)
        self.assertEqual(self.done(self.client.run("renew", right, id=job))["state"], "issued")

    def test_change_of_address(self):
        """Recorded by an operator at once; the next notice and the next certificate have it."""
        self.at("2026-04-01T10:00")
        who, first = self.user()
        id = self.stack.certq_json("cert", "show", first["certificate"])[0]["subscriber"]
        new = f"new-{who.email}"
        self.refused(self.client.run("change", {"subscriber": id, "changes": {"email": new}, "by": SESSION}),
                     "forbidden")
        error = self.refused(self.client.run("change", {
            "subscriber": id, "changes": {"user_id": "other", "organisation.company_code": "1"}, "by": OPERATOR}))
        self.assertEqual(set(error["fields"]), {"changes.user_id", "changes.organisation.company_code"})
        done = self.done(self.client.run("change", {"subscriber": id, "changes": {"email": new}, "by": OPERATOR}))
        self.assertEqual((done["state"], done["follow_up"]), ("done", "none"))
        self.assertEqual(self.row(first["certificate"])[0], "valid")
        self.at("2027-03-02T09:00")
        self.scan()
        who.email = new
        until("the notice to the new address", lambda: len(self.notices(who)) == 1)
        renewed = self.done(who.renew())
        text = openssl("x509", "-noout", "-ext", "subjectAltName", stdin=renewed["pem"].encode()).stdout.decode()
        self.assertIn(new, text)

    def test_locked(self):
        """Five wrong passwords lock what is asked for by password or login."""
        self.at("2026-04-01T10:00")
        who, first = self.user()
        self.at("2027-03-10T10:00")
        right, who.password = who.password, "wrong"
        for _ in range(5):
            self.refused(who.obtain(), "credentials")
        who.password = right
        self.refused(who.obtain(), "credentials")
        self.refused(self.client.run("renew", {"certificate": first["certificate"], "csr": who.new_csr(),
                                               "by": SESSION}), "locked")


if __name__ == "__main__":
    unittest.main()
