"""A seventh product, tests/data/products/lawyers.yaml: written from docs/products.md alone, known to no line of C,
and run through the real programs from the application to the revocation (L1 to L6 are its rules)."""
import datetime
import subprocess
import unittest

from harness import BUILD, SOURCE, make_key_and_csr, until
from people import CODE, KINDS, OPERATOR, Applicant, DatedCase, body_of, dates, mails_to

PRODUCTS = SOURCE / "tests" / "data" / "products"
SESSION = {"role": "holder", "how": "session"}


class Lawyer(Applicant):

    def __init__(self, stack, client, number):
        super().__init__(stack, product="lawyers", telephone="0312345678",
                         name={"ja": "〇〇　花子", "latin": "Hanako Maru"},  # full-width: an ideographic space
                         attributes={"registration_number": f"{number:05}"})
        self.client, self.keys = client, 0

    def issue_args(self, **more):
        return {"product": "lawyers", "subscriber": self.subscriber, "password": self.password, **more}

    def new_csr(self):
        self.keys += 1
        return make_key_and_csr(self.stack.folder, f"key-{self.user_id}-{self.keys}")[1]

    def decide(self, decision="approve"):
        return self.client.run("decide", {"subject": self.application, "decision": decision, "operator": "desk-1"})

    def codes(self):
        found = [CODE.search(body_of(m)) for m in mails_to(self.stack, self.email)]
        return [c.group() for c in found if c]

    def code_after(self, count):
        return until(f"code mail {count + 1} to {self.email}",
                     lambda: len(self.codes()) > count and self.codes())[-1]

    def take(self, code):
        return self.client.run("retrieve", {"email": self.email, "password": self.password, "code": code,
                                            "csr": self.new_csr()})

    def reissue(self, code, **more):
        return self.client.run("reissue", {"email": self.email, "password": self.password, "code": code, **more})

    def renew(self, certificate):
        return self.client.run("renew", {"certificate": certificate, "csr": self.new_csr(), "by": SESSION})


class Seventh(DatedCase):
    OPTIONS = {"products": PRODUCTS}
    SERVES = KINDS + ",renew,change,withdraw,expiry-scan"

    def scan(self):
        return self.done(self.client.run("expiry-scan", {}))["products"]["lawyers"]

    def lawyer(self, number):
        """Somebody with a certificate, and the result of the retrieval."""
        who = Lawyer(self.stack, self.client, number)
        self.assertEqual(who.issue(self.client)["state"], "awaiting-approval")
        self.assertEqual(self.done(who.decide())["state"], "code-queued")
        return who, self.done(who.take(who.code_after(0)))

    def test_from_the_application_to_the_revocation(self):
        # An operator approves; two calendar years from the retrieval, that day not counted (L1).
        self.at("2026-04-01T10:00")
        who, first = self.lawyer(1)
        other, theirs = self.lawyer(2)
        begin, end = dates(first["pem"])
        self.assertEqual((begin[:14], end), ("2026-04-01 01:", "2028-04-01 14:59:59Z"))
        shown = self.stack.certq_json("cert", "show", first["certificate"])[0]
        self.assertIn("00001", shown["subject"])

        # A reissue: the old one dies seven days after the new one's issue, to the second (L4, L5).
        self.at("2026-05-01T10:00")
        code = who.codes()[-1]
        self.refused(who.reissue(code), "bad-request")  # no reason
        self.refused(who.reissue(code, reason="device-replaced", revocation="keep"), "bad-request")
        asked = self.done(who.reissue(code, reason="device-replaced", changes={"telephone": "0398765432"}))
        self.assertEqual((asked["revocation"], asked["not_after"]), ("deferred", first["not_after"]))
        second = self.done(who.take(who.code_after(1)))
        self.assertEqual(second["not_after"], first["not_after"])
        due = datetime.datetime.fromisoformat(second["revoke_at"])
        shown = self.stack.certq_json("cert", "show", second["certificate"])[0]
        self.assertEqual(due - datetime.datetime.fromisoformat(shown["issued"]), datetime.timedelta(days=7))
        self.stack.certq("clock", "set", (due - datetime.timedelta(seconds=30)).isoformat())
        self.assertEqual(self.row(first["certificate"])[0], "valid")
        self.stack.certq("clock", "set", (due + datetime.timedelta(seconds=1)).isoformat())
        until("the deferred revocation", lambda: self.row(first["certificate"])[0] == "revoked")
        self.assertEqual(self.row(second["certificate"])[0], "valid")

        # Notices at 45 and 14 days (L6), renewal in place by session from 45 days before (L3).
        self.at("2028-02-15T23:58")
        self.assertEqual(self.scan()["scanned"], 0)
        self.refused(who.renew(second["certificate"]), "too-early")
        self.at("2028-02-16T00:01")
        scanned = self.scan()
        self.assertEqual((scanned["due"], scanned["sent"], scanned["skipped"]),
                         ({"45": 3, "14": 0}, 2, {"revoked": 1}))
        renewed = self.done(who.renew(second["certificate"]))
        self.assertEqual((renewed["state"], renewed["revocation"], renewed["not_after"]),
                         ("issued", "keep", "2030-02-16T14:59:59Z"))
        self.assertEqual(self.row(second["certificate"])[0], "valid")
        self.refused(who.renew(second["certificate"]), "already-renewed")
        self.at("2028-03-18T09:00")
        scanned = self.scan()
        self.assertEqual((scanned["sent"], scanned["skipped"]["renewed"]), (1, 1))
        self.assertEqual(self.scan()["sent"], 0)

        # Revoked, and on the next list.
        self.refused(self.client.run("revoke", {"certificate": renewed["certificate"],
                                                "by": {"role": "subscriber"}}), "forbidden")
        gone = self.done(self.client.run("revoke", {"certificate": renewed["certificate"],
                                                    "reason": "cessationOfOperation", "by": OPERATOR}))
        self.assertEqual(gone["state"], "revoked")
        self.done(self.client.run("crl", {"issuer": "person-ca"}))
        listed = {row[0] for row in self.stack.sql("SELECT LOWER(HEX(serial)) FROM revocation")}
        self.assertLessEqual({first["serial"], renewed["serial"]}, listed)
        self.assertNotIn(theirs["serial"], listed)
        self.done(self.client.run("withdraw", {
            "subscriber": self.stack.certq_json("cert", "show", theirs["certificate"])[0]["subscriber"],
            "reason": "left-the-association",
            "by": {**OPERATOR, "evidence": {"form": {"received_on": "2028-03-17"}}}}))
        self.assertEqual(self.row(theirs["certificate"])[0], "revoked")

    def test_the_code_lives_for_thirty_days(self):
        """L2: the thirtieth day still, the day after no more; an operator then reissues."""
        self.at("2026-04-01T10:00")
        pair = [Lawyer(self.stack, self.client, n) for n in (11, 12)]
        for who in pair:
            who.issue(self.client)
            self.refused(who.take("2222-2222-2222-2222"), "credentials")
            self.done(who.decide())
        codes = [who.code_after(0) for who in pair]
        self.at("2026-05-01T23:50")
        self.done(pair[0].take(codes[0]))
        self.at("2026-05-02T00:10")
        self.refused(pair[1].take(codes[1]), "code-expired")
        self.done(self.client.run("reissue", {"certificate": pair[1].certificate, "reason": "lost", "by": OPERATOR}))
        self.done(pair[1].take(pair[1].code_after(1)))
        self.refused(pair[1].take(codes[1]))

    def test_what_is_lost_goes_at_once(self):
        self.at("2026-04-01T10:00")
        who, first = self.lawyer(21)
        self.done(who.reissue(who.codes()[-1], reason="lost"))
        second = self.done(who.take(who.code_after(1)))
        self.assertEqual((self.row(first["certificate"])[0], self.row(second["certificate"])[0]), ("revoked", "valid"))

    def test_an_application_that_is_turned_down(self):
        self.at("2026-04-01T10:00")
        who = Lawyer(self.stack, self.client, 31)
        who.issue(self.client)
        self.assertEqual(self.done(who.decide("reject"))["state"], "rejected")
        self.assertEqual(self.row(who.certificate)[0], "cancelled")
        bad = Lawyer(self.stack, self.client, 32)
        bad.subscriber["attributes"] = {"registration_number": "32"}
        del bad.subscriber["name"]
        error = self.refused(self.client.run("issue", bad.issue_args()), "bad-request")
        self.assertEqual(set(error["fields"]), {"subscriber.attributes.registration_number", "subscriber.name.ja",
                                                "subscriber.name.latin"})

    def test_product_check_tells_it(self):
        done = subprocess.run([BUILD / "client" / "certq", "product", "check", PRODUCTS / "lawyers.yaml"],
                              capture_output=True, text=True)
        self.assertEqual(done.returncode, 0, done.stderr)
        told = " ".join(done.stdout.split())
        for sentence in ("An operator approves it first.", "unused, it is good for 30 days.",
                         "A certificate is valid for 2 calendar years from the day of the retrieval, that day not "
                         "counted.", "It is possible from 45 days before expiry.",
                         "Deferred means 7 days after the successor's issue, to the second.",
                         "A mail goes out 45 and 14 days before expiry, once each."):
            self.assertIn(sentence, told)

    def test_no_code_knows_it(self):
        """The product is only a file: no program of ours names it."""
        found = subprocess.run(["grep", "-rl", "lawyers", "--include=*.[ch]", *(SOURCE / d for d in (
            "broker", "client", "common", "workers"))], capture_output=True, text=True)
        self.assertEqual(found.stdout, "")


if __name__ == "__main__":
    unittest.main()
