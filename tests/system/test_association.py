"""Service A as its documents describe it (A1 to A11), from the first mail to the last, through the real programs
with the test clock: application, retrieval, changes on paper, reissue, renewal, withdrawal."""
import datetime
import unittest

from harness import make_key_and_csr, until
from people import CODE, KINDS, OPERATOR, Applicant, DatedCase, body_of, dates, mails_to

OFFICE = "office@maru.example.jp"


def paper(day, **evidence):
    """The organisation's form, entered by an operator."""
    return {"role": "organisation", "how": "paper", "name": "〇〇株式会社", "operator": "desk-1",
            "evidence": {"form": {"received_on": day, "seal": True, **evidence}}}


class Member(Applicant):
    """Somebody of a member organisation that has an address for receipts."""

    def __init__(self, stack, client):
        super().__init__(stack)
        self.client = client
        self.office = f"{self.user_id}-{OFFICE}"
        self.subscriber = {**self.subscriber,
                           "organisation": {**self.subscriber["organisation"], "email": self.office}}
        self.keys = 0

    def apply(self, **more):
        self.issue(self.client, **more)
        self.id = self.stack.certq_json("cert", "show", self.certificate)[0]["subscriber"]
        return self.certificate

    def codes_to(self, address):
        found = [CODE.search(body_of(m)) for m in mails_to(self.stack, address)]
        return [c.group() for c in found if c]

    def code_after(self, count, address=None):
        """The newest code, once there are more than `count` code mails."""
        address = address or self.email
        return until(f"code mail {count + 1} to {address}",
                     lambda: len(self.codes_to(address)) > count and self.codes_to(address))[-1]

    def take(self, code, csr=None):
        """Retrieves with a new key; the final answer."""
        self.keys += 1
        _, made = make_key_and_csr(self.stack.folder, f"key-{self.user_id}-{self.keys}")
        return self.client.run("retrieve", {"email": self.email, "password": self.password, "code": code,
                                            "csr": csr or made})

    def change(self, changes, by):
        return self.client.run("change", {"subscriber": self.id, "changes": changes, "by": by})

    def decide(self, application, decision="approve", **more):
        return self.client.run("decide", {"subject": application, "decision": decision, "operator": "desk-1",
                                          **more})


class Association(DatedCase):
    SERVES = KINDS + ",renew,change,withdraw,expiry-scan"

    def mail_to(self, address, count, *words):
        """The mail number `count` to an address, which has these words."""
        mail = until(f"mail {count} to {address}",
                     lambda: len(mails_to(self.stack, address)) >= count and mails_to(self.stack, address))[count - 1]
        text = body_of(mail)
        for word in words:
            self.assertIn(word, text)
        return text

    def revoked_on_crl(self, *serials):
        self.done(self.client.run("crl", {"issuer": "person-ca"}))
        listed = {row[0] for row in self.stack.sql("SELECT LOWER(HEX(serial)) FROM revocation")}
        self.assertLessEqual(set(serials), listed)

    def member(self):
        """(who, certificate, result of the retrieval)"""
        who = Member(self.stack, self.client)
        first = who.apply()
        got = self.done(who.take(who.code_after(0)))
        return who, first, got

    def test_from_the_first_mail_to_the_last(self):
        self.at("2026-04-01T10:00")
        who, first, got = self.member()
        last = datetime.date(2026, 4, 1) + datetime.timedelta(days=760)  # A1: that day not counted
        self.assertEqual(dates(got["pem"]), ("2026-04-01 00:00:00Z", f"{last} 23:59:59Z"))

        # A3: on paper, by operators, then a mail; the certificate stays.
        self.refused(who.change({"department": "経理部"}, {"role": "subscriber", "how": "credentials"}), "forbidden")
        wrong = self.refused(who.change({"department": "経理部", "email": "nobody", "name.latin": ""},
                                        paper("2026-04-02")), "bad-request")
        self.assertEqual(set(wrong["fields"]), {"changes.email", "changes.name.latin"})
        asked = self.done(who.change({"department": "経理部"}, paper("2026-04-02")))
        self.assertEqual((asked["state"], asked["follow_up"], asked["chargeable"]), ("awaiting-review", "none", False))
        before = len(mails_to(self.stack, who.email))
        done = self.done(who.decide(asked["application"]))
        self.assertEqual((done["state"], done["changed"]), ("done", ["department"]))
        self.mail_to(who.email, before + 1, "変更")
        self.assertEqual(self.row(first)[0], "valid")

        # A6 to A9: lost; a new code by itself, the same end, the old one on the CRL.
        codes = who.codes_to(who.email)
        answer = self.done(self.client.run("reissue", {"email": who.email, "password": who.password,
                                                       "code": codes[-1], "reason": "lost"}))
        second = self.done(who.take(who.code_after(len(codes))))
        self.assertEqual((answer["chargeable"], second["not_after"]), (False, got["not_after"]))
        self.assertEqual(self.row(first)[0], "revoked")
        who.certificate = second["certificate"]

        # A4: another address revokes and reissues, free; the code goes to the new one only.
        self.at("2026-09-01T10:00")
        old, new = who.email, f"new-{who.email}"
        asked = self.done(who.change({"email": new}, paper("2026-09-01")))
        self.assertEqual((asked["follow_up"], asked["chargeable"]), ("reissue", False))
        self.assertEqual(self.row(second["certificate"])[0], "valid")  # until the form is looked at
        told, known = len(mails_to(self.stack, old)), len(who.codes_to(old))
        done = self.done(who.decide(asked["application"]))
        self.assertEqual((done["follow_up"], done["charge_reason"], done["revoked"]),
                         ("reissue", "free", [second["certificate"]]))
        self.assertEqual(self.row(second["certificate"])[0], "revoked")
        who.email = new
        third = self.done(who.take(who.code_after(0)))
        self.assertEqual(third["not_after"], got["not_after"])  # A9
        until("the old address is told", lambda: len(mails_to(self.stack, old)) > told)
        self.assertEqual(len(who.codes_to(old)), known)
        self.revoked_on_crl(second["serial"])

        # A2: about a month before, a mail; renewal is a fresh application, charged; the old one lives to its end.
        self.at("2028-04-01T10:00")
        known = len(mails_to(self.stack, new))
        self.assertEqual(self.done(self.client.run("expiry-scan", {"product": "association"}))
                         ["products"]["association"]["sent"], 1)
        self.mail_to(new, known + 1, "あと30日", "改めて発行を")
        refusal = self.refused(self.client.run("renew", {"certificate": third["certificate"]}), "new-application")
        self.assertIn(third["certificate"], refusal["message"])
        codes = len(who.codes_to(new))
        who.subscriber = {**who.subscriber, "email": new}
        result = who.issue(self.client, renews=third["certificate"])
        self.assertEqual((result["chargeable"], result["charge_reason"]), (True, "new-application"))
        renewed = self.done(who.take(who.code_after(codes)))
        self.assertEqual(self.row(third["certificate"])[0], "valid")
        self.assertGreater(renewed["not_after"], "2030")

        # A5: another trade name revokes and is a new application, charged.
        asked = self.done(who.change({"organisation.ja": "新〇〇株式会社", "organisation.latin": "New Maru"},
                                     paper("2028-04-10")))
        self.assertEqual((asked["follow_up"], asked["chargeable"], asked["charge_reason"]),
                         ("new-application", True, "new-application"))
        codes = len(who.codes_to(new))
        done = self.done(who.decide(asked["application"]))
        self.assertEqual(set(done["revoked"]), {third["certificate"], renewed["certificate"]})
        last = self.done(who.take(who.code_after(codes)))
        self.assertIn("New Maru", self.stack.certq_json("cert", "show", last["certificate"])[0]["subject"])

        # A10: the organisation gets the receipt, and everything ends.
        withdrawal = {"subscriber": who.id, "reason": "left", "by": paper("2028-05-01")}
        self.refused(self.client.run("withdraw", {**withdrawal, "by": {"role": "subscriber"}}), "forbidden")
        ended = self.done(self.client.run("withdraw", withdrawal))
        self.assertEqual((ended["state"], ended["acknowledged"]), ("received", True))
        self.assertEqual([(c["certificate"], c["state"]) for c in ended["certificates"]],
                         [(last["certificate"], "revoked")])
        self.mail_to(who.office, 1, "退会")
        self.revoked_on_crl(last["serial"], renewed["serial"])
        self.refused(who.take(who.codes_to(new)[-1]), "credentials")
        self.refused(self.client.run("withdraw", withdrawal), "withdrawn")
        self.refused(who.change({"department": "x"}, paper("2028-05-01")), "withdrawn")

    def test_a10_nothing_to_the_deceased(self):
        who, certificate, _ = self.member()
        until("the mail that it was issued", lambda: len(mails_to(self.stack, who.email)) == 2)
        ended = self.done(self.client.run("withdraw", {"subscriber": who.id, "reason": "died",
                                                       "by": paper("2026-04-01")}))
        self.mail_to(who.office, 1)
        self.assertEqual(ended["certificates"][0]["state"], "revoked")
        self.assertEqual(self.stack.count("job", "kind = 'mail'"), 0)
        self.assertEqual(len(mails_to(self.stack, who.email)), 2)

    def test_a4_rejected(self):
        """What the operator does not accept changes nothing."""
        who, certificate, _ = self.member()
        asked = self.done(who.change({"email": f"new-{who.email}"}, paper("2026-04-01")))
        self.assertEqual(self.done(who.decide(asked["application"], "reject", note="印が違う"))["state"], "rejected")
        self.assertEqual(self.row(certificate)[0], "valid")
        self.refused(who.decide(asked["application"]), "not-awaiting")
        shown = self.stack.certq_json("subscriber", "show", who.id)[0]
        self.assertEqual(shown["email"], who.email)

    def test_one_word_counts(self):
        """Two operators at once: one of them has decided (I11)."""
        who, certificate, _ = self.member()
        asked = self.done(who.change({"email": f"new-{who.email}"}, paper("2026-04-01")))["application"]
        jobs = [self.client.submit("decide", {"subject": asked, "decision": word, "operator": "desk-1"})
                for word in ("approve", "reject", "approve")]
        answers = [self.client.done(job) for job in jobs]
        self.assertEqual(sorted(a["state"] for a in answers), ["done", "refused", "refused"], answers)
        self.assertEqual({a["error"]["code"] for a in answers if a["state"] == "refused"}, {"not-awaiting"})

    def test_a4_an_address_that_is_taken(self):
        one, _, _ = self.member()
        two, _, _ = self.member()
        error = self.refused(one.change({"email": two.email.upper()}, paper("2026-04-01")), "bad-request")
        self.assertEqual(set(error["fields"]), {"changes.email"})

    def test_a11_the_code_is_lost(self):
        """Who lost the code cannot meet A7: an operator reissues, and the old code dies."""
        who = Member(self.stack, self.client)
        first = who.apply()
        old = who.code_after(0)
        self.refused(self.client.run("reissue", {"email": who.email, "password": who.password,
                                                 "code": "2222-2222-2222-2222"}), "credentials")
        answer = self.done(self.client.run("reissue", {"certificate": first, "reason": "cannot-retrieve",
                                                       "by": OPERATOR}))
        self.assertIsNone(answer["not_after"])
        new = who.code_after(1)
        self.assertEqual(self.row(first)[0], "cancelled")
        self.refused(who.take(old), "cancelled")
        self.done(who.take(new))

    def test_evidence(self):
        """No seal, no change and no withdrawal; the form is in the audit."""
        who, certificate, _ = self.member()
        by = paper("2026-04-01", seal=False)
        for kind, args in (("change", {"changes": {"department": "x"}}), ("withdraw", {"reason": "left"})):
            error = self.refused(self.client.run(kind, {"subscriber": who.id, "by": by, **args}), "bad-request")
            self.assertEqual(set(error["fields"]), {"by.evidence.form.seal"})
        self.done(self.client.run("withdraw", {"subscriber": who.id, "reason": "stopped",
                                               "by": paper("2026-04-03")}))
        details = self.stack.sql("SELECT detail FROM audit WHERE event = 'withdrawal.received' AND "
                                 f"subject = UNHEX('{who.id.replace('-', '')}')")
        self.assertIn("2026-04-03", details[0][0])
        self.assertEqual(self.row(certificate)[0], "revoked")


if __name__ == "__main__":
    unittest.main()
