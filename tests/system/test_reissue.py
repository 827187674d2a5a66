"""Reissues through the real programs: a new code by mail, the old certificate on the CRL once the new one is
retrieved (A6 to A9, B4), changes of an address (B10), a deferred revocation that keeps its second (C5, X4)."""
import pathlib
import shutil
import tempfile
import unittest
from datetime import datetime, timedelta

from harness import make_key_and_csr, until
from people import CODE, OPERATOR, Applicant, StackCase, body_of, mails_to, products_with

ADDRESS = {"postal_code": "1000001", "prefecture": "東京都", "city": "千代田区", "street": "千代田1-1"}


class Holder(Applicant):
    """Somebody with a certificate in hand."""

    def __init__(self, stack, client, **options):
        super().__init__(stack, **options)
        self.client = client
        self.issue(client)
        self.serial = self.take()["serial"]

    def take(self, email=None, code=None):
        """Retrieves with the newest code and a new key."""
        _, csr = make_key_and_csr(self.stack.folder, f"key-{self.user_id}-{self.certificate[-6:]}")
        args = {"email": email or self.email, "password": self.password, "code": code or self.code(), "csr": csr}
        answer = self.client.run("retrieve", args)
        if answer["state"] != "done":
            raise AssertionError(f"retrieve: {answer}")
        return answer["result"]

    def reissue(self, **more):
        """Asks with the newest code; waits for the next code mail, wherever it goes."""
        before = self.code()
        args = {"email": self.email, "password": self.password, "code": before, **more}
        answer = self.client.run("reissue", args)
        if answer["state"] == "done":
            self.certificate = answer["result"]["certificate"]
        return before, answer

    def new_code(self, before, address=None):
        def found():
            codes = [CODE.search(body_of(m)) for m in mails_to(self.stack, address or self.email)]
            return [c.group() for c in codes if c and c.group() != before]
        return until("the new code", found)[-1]


class Reissue(StackCase):

    def test_whole_way(self):
        who = Holder(self.stack, self.client)
        first = who.certificate
        before, answer = who.reissue(reason="lost")
        self.assertEqual(answer["state"], "done", answer)
        result = answer["result"]
        self.assertEqual((result["predecessor"], result["revocation"], result["chargeable"]),
                         (first, "on-retrieval", False))
        shown = self.stack.certq_json("cert", "show", first)[0]
        self.assertEqual(shown["revocation"]["timing"], "on-retrieval")
        self.assertEqual(shown["revocation"]["successor"], who.certificate)
        self.assertEqual(shown["state"], "valid")
        got = who.take(code=who.new_code(before))
        self.assertEqual(got["not_after"], result["not_after"])  # A9
        self.assertEqual(got["predecessor_serial"], who.serial)
        self.assertEqual(self.row(first), ["revoked", who.serial])
        self.assertEqual(self.client.run("crl", {"issuer": "person-ca"})["state"], "done")

    def test_wrong_and_old_credentials(self):
        who = Holder(self.stack, self.client)
        for wrong in ({"password": "wrong"}, {"email": "nobody@example.jp"}):
            _, answer = who.reissue(**wrong)
            self.assertEqual(answer["error"]["code"], "credentials", answer)
        _, answer = who.reissue(revocation="deferred")
        self.assertEqual(answer["error"]["code"], "bad-request", answer)

    def test_compromise_at_once(self):
        who = Holder(self.stack, self.client)
        first = who.certificate
        before, answer = who.reissue(reason="key-compromise")
        self.assertEqual(answer["state"], "done", answer)
        self.assertEqual(self.row(first), ["revoked", who.serial])
        self.assertIsNotNone(answer["result"]["revoke_at"])
        who.take(code=who.new_code(before))

    def test_class2_changes_an_address(self):
        who = Holder(self.stack, self.client, product="class2", address=ADDRESS, telephone="0312345678")
        new = f"new-{who.email}"
        before, answer = who.reissue(changes={"email": new, "name.ja": "別の人", "telephone": ""})
        self.assertEqual(set(answer["error"]["fields"]), {"changes.name.ja", "changes.telephone"}, answer)  # B5, B6
        before, answer = who.reissue(changes={"email": new})
        self.assertEqual(answer["state"], "done", answer)
        code = who.new_code(before, new)
        until("the mail to the old address", lambda: [m for m in mails_to(self.stack, who.email)
                                                      if "アドレスを変更" in body_of(m).replace("\n", "")])
        self.assertFalse([m for m in mails_to(self.stack, who.email) if code in body_of(m)])
        # B10: the certificate in question keeps its address until the next one is retrieved, and has a coupon (B1).
        for email, found in ((who.email, 1), (new, 0)):
            listed = self.client.run("lookup", {"email": email, "password": who.password, "code": before})
            self.assertEqual(len(listed["result"]["certificates"]), found, (email, listed))
        self.assertRegex(self.client.run("lookup", {"email": who.email, "password": who.password, "code": before})[
            "result"]["certificates"][0]["coupon"], "^[0-9]{10}$")
        who.take(email=new, code=code)

    def test_z_b2_too_few_days(self):
        """Last in its class: the clock stays where it is."""
        who = Holder(self.stack, self.client, product="class2", address=ADDRESS, telephone="0312345678")
        end = datetime.fromisoformat(self.stack.certq_json("cert", "show", who.certificate)[0]["not_after"])
        refusals = []
        self.stack.certq("clock", "set", (end - timedelta(days=30)).isoformat())
        for more in ({}, {"password": "wrong"}):
            _, answer = who.reissue(**more)
            refusals.append(answer["error"])
        self.assertEqual(refusals[0]["code"], "credentials")
        self.assertEqual(refusals[0], refusals[1])
        answer = self.client.run("reissue", {"certificate": who.certificate, "by": OPERATOR})
        self.assertEqual(answer["error"]["code"], "too-late", answer)


class Deferred(StackCase):
    """C5, X4: fourteen days to the second, by a product like association that says so."""

    @classmethod
    def setUpClass(cls):
        cls.made = pathlib.Path(tempfile.mkdtemp(prefix="certq-products-"))
        cls.addClassCleanup(shutil.rmtree, cls.made, True)
        products = products_with(cls.made, "deferring", lines={
            "choices: [on-retrieval]     # A6": "choices: [deferred]",
            "default: on-retrieval": "default: deferred\n    defer_days: 14"})
        cls.OPTIONS = {"products": products}
        super().setUpClass()

    def test_to_the_second(self):
        due, kept = (Holder(self.stack, self.client, product="deferring") for _ in range(2))
        pairs = []
        for who in (due, kept):
            first = who.certificate
            before, answer = who.reissue()
            self.assertEqual(answer["state"], "done", answer)
            got = who.take(code=who.new_code(before))
            self.assertEqual(self.row(first)[0], "valid")
            pairs.append((first, got))
        shown = self.stack.certq_json("cert", "show", pairs[0][0])[0]["revocation"]
        self.assertEqual((shown["timing"], shown["at"]), ("deferred", pairs[0][1]["revoke_at"]))
        self.assertEqual(kept.client.run("revoke", {"certificate": pairs[1][0], "reason": "superseded",
                                                    "by": OPERATOR})["state"], "done")  # by hand, before
        self.assertEqual(self.stack.sql("SELECT state, COUNT(*) FROM job_history WHERE kind = 'revoke' AND "
                                        "client = 'certq' GROUP BY state")[0], ["cancelled", "1"])
        at = datetime.fromisoformat(shown["at"])
        self.stack.certq("clock", "set", (at - timedelta(seconds=30)).isoformat())
        self.assertEqual(self.row(pairs[0][0])[0], "valid")
        self.broker.kill()  # the time comes while nobody is there
        self.stack.start_broker()
        self.stack.certq("clock", "set", (at + timedelta(seconds=1)).isoformat())
        until("it is revoked", lambda: self.row(pairs[0][0])[0] == "revoked")
        self.assertEqual(self.row(pairs[0][1]["certificate"])[0], "valid")
        reported = self.stack.certq_json("cert", "show", pairs[0][0])[0]
        self.assertEqual(reported["revoked"][:19], shown["at"][:19])


if __name__ == "__main__":
    unittest.main()
