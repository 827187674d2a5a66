"""Service D as its documents describe it (D1 to D11), through the real programs with the test clock: from the first
application at the counter to the last card, with agents, passwords, disclosure, correction, and no mail at all."""
import json
import unittest

from harness import make_key_and_csr, new_id, until
from people import StackCase, all_mails, dates, openssl, signed, uuid_hex

COUNTER = {"role": "subscriber", "how": "counter", "operator": "窓口 〇〇"}
SESSION = {"role": "subscriber", "how": "session"}
OPERATOR = {"role": "operator", "operator": "調査 〇〇"}
FORM = {"form": "失効申請書", "photo_id": "運転免許証"}


def agent(seal_day="2014-01-10", **evidence):
    """D10: what an agent brings along."""
    return {"role": "agent", "how": "counter", "name": "代理 〇〇", "operator": "窓口 〇〇", "evidence": {
        "mandate": {"signed": True, "sealed": True}, "seal_certificate": {"obtained_on": seal_day},
        "inquiry": {"method": "post", "reply": "2014-03-10"}, **evidence}}


def at_counter(**evidence):
    return {**COUNTER, "evidence": {**FORM, **evidence}}


class Person:
    """A resident, their cards and what is on them."""

    def __init__(self, case, number, name="〇〇 花子"):
        self.case, self.number, self.name, self.password = case, number, name, "first password 1"
        self.whom = {"product": "resident", "subscriber": {"resident_id": number}}
        self.keys = 0

    def run(self, kind, by, **more):
        return self.case.client.run(kind, {**self.whom, "by": by, **more})

    def new_csr(self):
        self.keys += 1
        self.key, csr = make_key_and_csr(self.case.stack.folder, f"card-{self.number}-{self.keys}")
        return csr

    def apply(self, card, by=COUNTER, csr=None):
        return self.case.client.run("issue", {
            "product": "resident", "by": by, "device": card, "csr": csr or self.new_csr(), "password": self.password,
            "subscriber": {"resident_id": self.number, "name": {"ja": self.name},
                           "address": {"city": "例示市", "street": "例示町1-1"}}})

    def take(self, answer):
        """Keeps the certificate of an answer; returns its result."""
        result = self.case.done(answer)
        self.certificate, self.pem = result["certificate"], result["pem"]
        return result

    def change_password(self, old, new, by=SESSION):
        return self.run("password-change", by, old=old, new=new)


class Resident(StackCase):
    SERVES = ("issue,renew,decide,revoke,disclose,correct,erasable,password-change,password-reset,password-set,crl,"
              "inspect,noop")

    def clock(self, text):
        self.stack.certq("clock", "set", text)

    def audit(self, event):
        """Details of an event's rows, oldest first."""
        rows = self.stack.sql(f"SELECT detail FROM audit WHERE event = '{event}' ORDER BY id")
        return [json.loads(detail.replace("\\\\", "\\")) for detail, in rows]

    def text_of(self, document):
        self.assertIn(document["number"], document["text"])
        self.assertNotIn("{{", document["text"])
        return document["text"]

    def test_1_application_to_last_card(self):
        self.clock("2014-03-16T09:00:00+09:00")
        hanako = Person(self, "R-0001")
        result = hanako.take(hanako.apply("CARD-1"))
        self.assertEqual(result["state"], "issued")
        self.assertEqual(dates(hanako.pem)[1], "2017-03-15 14:59:59Z")  # D1
        self.passwords(hanako)
        self.disclosure(hanako)
        self.correction(hanako)
        self.revoked_on_line(hanako)
        self.lost(hanako)
        self.renewed(hanako)
        self.another_card(hanako)
        self.last_disclosure(hanako)
        self.assertEqual(all_mails(self.stack), {})  # D11

    def passwords(self, who):
        """D6, D7."""
        self.refused(who.change_password("wrong", "second password 2"), "credentials")
        self.refused(who.change_password("same password", "same password"), "bad-request")
        self.assertEqual(self.done(who.change_password(who.password, "second password 2"))["state"], "changed")
        for _ in range(5):
            self.refused(who.change_password("wrong", "third password 3"), "credentials")
        self.refused(who.change_password("second password 2", "third password 3"), "locked")
        self.refused(who.run("password-reset", SESSION), "forbidden")
        self.refused(who.run("password-reset", agent("2013-12-15")), "bad-request")  # D10
        self.assertEqual(self.done(who.run("password-reset", agent("2013-12-16")))["state"], "reset")
        evidence = self.audit("password.reset")[-1]["by"]["evidence"]
        self.assertEqual((evidence["mandate"], evidence["inquiry"]["reply"]),
                         ({"signed": True, "sealed": True}, "2014-03-10"))
        self.refused(who.change_password("second password 2", "third password 3"), "no-password")
        self.assertEqual(self.done(who.run("password-set", COUNTER, new="third password 3"))["state"], "set")
        self.refused(who.run("password-set", COUNTER, new="fourth password 4"), "not-reset")
        self.done(who.change_password("third password 3", "first password 1", by=COUNTER))

    def disclosure(self, who):
        """D4."""
        self.refused(who.run("correct", COUNTER, changes={"name.ja": "x"}), "no-disclosure")  # D5
        self.refused(who.run("disclose", SESSION), "forbidden")
        result = self.done(who.run("disclose", COUNTER))
        self.assertEqual((result["state"], result["chargeable"], result["charge_reason"]),
                         ("disclosed", True, "actual-cost"))
        self.assertEqual([r["device"] for r in result["records"]["issue"]], ["CARD-1"])
        self.assertEqual(result["records"]["revocation"], [])
        for part in ("R-0001", "例示町1-1", "発行記録", result["records"]["issue"][0]["serial"]):
            self.assertIn(part, self.text_of(result["document"]))
        self.assertIn(result["document"]["number"], self.text_of(result["payment_notice"]))
        nobody = Person(self, "R-9999")
        result = self.done(nobody.run("disclose", agent()))
        self.assertEqual((result["state"], "records" in result), ("none", False))
        self.assertIn("代理 〇〇", self.text_of(result["document"]))
        self.refused(nobody.run("erasable", COUNTER), "not-found")

    def correction(self, who):
        """D5."""
        self.assertEqual(set(self.refused(who.run("correct", COUNTER, changes={
            "resident_id": "R-0002", "address.postal_code": "1", "name.ja": who.name}), "bad-request")["fields"]),
            {"changes.resident_id", "changes.address.postal_code"})
        changes = {"name.ja": "〇〇 華子", "telephone": "0880000000", "address.street": None}
        asked = self.done(who.run("correct", agent(), changes=changes))
        self.assertEqual(asked["state"], "awaiting-approval")
        ruling = {"subject": asked["application"], "decision": "approve", "by": OPERATOR}
        self.refused(self.client.run("decide", ruling), "bad-request")  # what did the inquiry find?
        result = self.done(self.client.run("decide", {**ruling, "note": "住民票と照合"}))
        self.assertEqual(result["state"], "corrected")
        for part in ("〇〇 華子", "住民票と照合", "代理 〇〇"):
            self.assertIn(part, self.text_of(result["document"]))
        self.assertEqual(self.audit("records.corrected")[-1]["changes"]["name.ja"],
                         {"before": "〇〇 花子", "after": "〇〇 華子"})
        asked = self.done(who.run("correct", COUNTER, changes={"telephone": None}))
        result = self.done(self.client.run("decide", {"subject": asked["application"], "decision": "reject",
                                                      "note": "誤りなし", "by": OPERATOR}))
        self.assertEqual(result["state"], "rejected")
        registered = self.done(who.run("disclose", COUNTER))["records"]["registered"]
        self.assertEqual((registered["name"]["ja"], registered["telephone"], registered["address"].get("street")),
                         ("〇〇 華子", "0880000000", None))
        who.name = "〇〇 華子"

    def revoked_on_line(self, who):
        """D2, D8: by a signature of the very certificate, good for one job only."""
        args = {"certificate": who.certificate, "reason": "not-needed",
                "by": {"role": "subscriber", "how": "signature"}}
        job, request = signed(self.stack.folder, who.key, who.pem, "revoke", who.certificate, args)
        self.refused(self.client.run("revoke", args), "bad-request")
        self.refused(self.client.run("revoke", request, id=new_id()), "bad-signature")
        self.refused(self.client.run("revoke", {**request, "note": "x"}, id=new_id()), "bad-signature")
        other, _ = make_key_and_csr(self.stack.folder, "somebody")
        stranger = openssl("req", "-x509", "-new", "-key", other, "-subj", "/CN=x").stdout.decode()
        wrong_job, wrong = signed(self.stack.folder, other, stranger, "revoke", who.certificate, args)
        self.refused(self.client.run("revoke", wrong, id=wrong_job), "bad-signature")
        lost = {**args, "reason": "lost"}
        lost_job, lost = signed(self.stack.folder, who.key, who.pem, "revoke", who.certificate, lost)
        self.refused(self.client.run("revoke", lost, id=lost_job), "forbidden")  # D3: at the counter
        self.assertEqual(self.row(who.certificate)[0], "valid")
        result = self.done(self.client.run("revoke", request, id=job))
        self.assertEqual(result["state"], "revoked")
        self.assertIn(result["serial"], self.text_of(result["document"]))
        erasable = self.done(who.run("erasable", COUNTER))["devices"]
        self.assertEqual([(d["device"], [c["why"] for c in d["certificates"]]) for d in erasable],
                         [("CARD-1", ["revoked-online"])])

    def lost(self, who):
        """D3: reported at the counter, ahead of everything in the queue."""
        who.take(who.apply("CARD-1"))
        key = who.key
        self.worker.stop()
        waiting = [self.client.submit("noop", {"n": i}) for i in range(300)]
        for job in waiting:
            self.client.accepted(job)
        args = {"certificate": who.certificate, "reason": "lost", "by": at_counter()}
        urgent = self.client.submit("revoke", args)  # the reason alone makes it so
        self.client.accepted(urgent)
        type(self).worker = self.stack.start_worker(self.SERVES, name="again")
        result = self.done(self.client.done(urgent))
        self.assertEqual(result["reason"], "keyCompromise")
        for job in waiting:
            self.client.done(job)
        first = self.stack.sql("SELECT MIN(finished_ms) FROM job_history WHERE kind = 'noop'")[0][0]
        own = self.stack.sql("SELECT finished_ms FROM job_history WHERE id = "
                             f"UNHEX('{uuid_hex(urgent)}')")[0][0]
        self.assertLessEqual(int(own), int(first))
        csr = openssl("req", "-new", "-key", key, "-subj", "/CN=x").stdout.decode()
        self.refused(who.apply("CARD-2", csr=csr), "key-compromised")
        self.refused(self.client.run("revoke", {**args, "by": COUNTER}), "bad-request")  # form, photo id

    def renewed(self, who):
        """D1: three years with the day of the procedure, which has no anniversary here."""
        old = who.take(who.apply("CARD-2"))["certificate"]
        self.clock("2016-02-29T10:00:00+09:00")
        args = {"certificate": old, "csr": who.new_csr(), "by": SESSION}
        self.refused(self.client.run("renew", args), "forbidden")
        self.refused(self.client.run("renew", {**args, "by": agent("2015-11-28")}), "bad-request")
        result = who.take(self.client.run("renew", {**args, "by": agent("2015-11-29")}))
        self.assertEqual(dates(who.pem)[1], "2019-02-28 14:59:59Z")
        self.assertEqual(result["predecessor"], old)
        self.assertEqual([self.row(c)[0] for c in (old, who.certificate)], ["revoked", "valid"])
        self.assertEqual(self.stack.certq_json("cert", "show", who.certificate)[0]["state"], "valid")

    def another_card(self, who):
        """D8: one on another card supersedes; nothing goes beside a valid one on its own."""
        old = who.certificate
        self.refused(who.apply("CARD-2"), "has-certificate")
        who.take(who.apply("CARD-3"))
        self.assertEqual(self.row(old)[0], "revoked")
        erasable = self.done(who.run("erasable", agent("2016-01-10")))["devices"]
        self.assertEqual({d["device"]: {c["why"] for c in d["certificates"]} for d in erasable},
                         {"CARD-1": {"revoked-online", "superseded-on-other-device"},
                          "CARD-2": {"superseded-on-other-device"}})

    def last_disclosure(self, who):
        """D4: the revocation file too."""
        def all_listed():
            self.done(self.client.run("crl", {"issuer": "resident-ca", "by": OPERATOR}))
            found = self.done(who.run("disclose", COUNTER))
            files = found["records"]["revocation_file"]
            return found if files and len(files[0]["serials"]) == 4 else None
        found = until("the last revocation is in a file", all_listed)
        records = found["records"]
        self.assertIn("失効情報ファイル", self.text_of(found["document"]))
        self.assertEqual([r["device"] for r in records["issue"]], ["CARD-1", "CARD-1", "CARD-2", "CARD-2", "CARD-3"])
        self.assertEqual([r["reason"] for r in records["revocation"]],
                         ["cessationOfOperation", "keyCompromise", "superseded", "superseded"])
        self.assertEqual([r["online"] for r in records["revocation"]], [True, False, False, False])
        file, = records["revocation_file"]
        self.assertEqual((file["issuer"], set(file["serials"])),
                         ("resident-ca", {r["serial"] for r in records["revocation"]}))

    def test_2_agents_at_the_counter(self):
        """D10: every procedure; recorded are the agent and the evidence."""
        self.clock("2014-03-16T12:00:00+09:00")
        taro = Person(self, "R-0002", "〇〇 太郎")
        fields = self.refused(taro.apply("CARD-9", by={"role": "agent", "how": "counter", "name": "代理 〇〇"}),
                              "bad-request")["fields"]
        self.assertEqual(set(fields), {f"by.evidence.{path}" for path in (
            "mandate.signed", "mandate.sealed", "seal_certificate.obtained_on", "inquiry.reply")})
        self.refused(taro.apply("CARD-9", by=agent("2013-12-15")), "bad-request")
        taro.take(taro.apply("CARD-9", by=agent("2013-12-16")))
        accepted = self.audit("application.accepted")[-1]["by"]
        self.assertEqual((accepted["name"], accepted["evidence"]["seal_certificate"]["obtained_on"]),
                         ("代理 〇〇", "2013-12-16"))
        args = {"certificate": taro.certificate, "reason": "not-needed", "by": agent(**FORM, device="CARD-9")}
        result = self.done(self.client.run("revoke", args))
        for part in ("代理 〇〇", "〇〇 太郎", "ICカード"):
            self.assertIn(part, self.text_of(result["document"]))

    def test_3_staff_read_and_sign(self):
        text = self.stack.certq("product", "check", self.stack.products / "resident.yaml").stdout
        self.assertIn("3 calendar years from the day of the procedure", text)


if __name__ == "__main__":
    unittest.main()
