"""Service C as its documents tell it (C1 to C9), through the real programs: contracts with three contacts, server
certificates issued from a CSR after a review, reissues with a deferred or immediate revocation, changes of
contacts, notices, renewal, and the cancellation that is confirmed by telephone."""
import unittest
from datetime import datetime, timedelta

from harness import make_key_and_csr, until
from people import OPERATOR, StackCase, body_of, mails_to, openssl

BY = {"role": "contact", "how": "session", "name": "〇〇 担当"}


def contact(word, number, **more):
    return {"name": f"{word} 〇〇", "telephone": "0312345678", "email": f"{word}-{number}@example.jp",
            "renewal_notice": "wanted", **more}


class Server:
    """A company with a contract, and one server certificate under it."""
    made = 0

    def __init__(self, case, product="web-ev", contacts=None, contract=None, dns=None):
        Server.made += 1
        self.case, self.number, self.product = case, Server.made, product
        self.dns = dns or f"www{self.number}.example.jp"
        self.contacts = {role: contact(role[:3], self.number) for role in ("registered", "technical", "administrative")}
        for role, more in (contacts or {}).items():
            self.contacts[role].update(more)
        self.contract = contract
        self.certificate = self.pem = None

    def csr(self):
        Server.made += 1
        self.key, csr = make_key_and_csr(self.case.stack.folder, f"server-{Server.made}")
        return csr

    def address(self, role):
        return self.contacts[role]["email"]

    def ask(self, **more):
        contract = ({"id": self.contract} if self.contract else
                    {"contacts": self.contacts, "account": {"otp_email": f"otp-{self.number}@example.jp"}})
        return self.case.client.run("issue", {
            "product": self.product, "contract": contract, "dns": [self.dns], "csr": self.csr(), "by": BY,
            "subscriber": {"organisation": {"latin": "Example Corporation", "ja": "例示株式会社"},
                           "address": {"prefecture": "Tokyo", "city": "Chiyoda"}}, **more})

    def issue(self):
        asked = self.case.done(self.ask())
        self.case.assertEqual(asked["state"], "awaiting-approval")
        self.contract = asked["contract"]
        return self.take(self.case.decide(asked["application"]))

    def take(self, result):
        self.case.assertEqual(result["state"], "issued", result)
        self.certificate, self.pem, self.serial = result["certificate"], result["pem"], result["serial"]
        return self

    def reissue(self, by=BY, **more):
        return self.case.client.run("reissue", {"certificate": self.certificate, "reason": "server-failure",
                                                "csr": self.csr(), "by": by, **more})

    def subjects(self, role):
        return [m["Subject"] for m in mails_to(self.case.stack, self.address(role))]

    def mail(self, role, words):
        """The first mail to a contact whose text holds all the words."""
        return until(f"a mail with {words}", lambda: [
            m for m in mails_to(self.case.stack, self.address(role))
            if all(w in body_of(m).replace("\n", "") + m["Subject"] for w in words)])[0]


class ServiceC(StackCase):
    SERVES = "issue,decide,lookup,retrieve,reissue,renew,change,revoke,expiry-scan,crl,inspect"

    def decide(self, subject, decision="approve", **more):
        return self.done(self.client.run("decide", {"subject": subject, "decision": decision,
                                                    "operator": "desk-1", **more}))

    def now(self):
        shown = self.stack.certq_json("clock", "show")[0]
        return datetime.fromisoformat(shown["now"])

    def travel(self, **delta):
        at = self.now() + timedelta(**delta)
        self.stack.certq("clock", "set", at.strftime("%Y-%m-%dT%H:%M:%SZ"))

    def state(self, server):
        return self.row(server.certificate)[0]

    def test_1_first_application(self):
        """C1: by a contact, with a CSR, reviewed; a certificate other people's software accepts."""
        server = Server(self).issue()
        text = openssl("x509", "-noout", "-text", stdin=server.pem.encode()).stdout.decode()
        self.assertIn(f"DNS:{server.dns}", text)
        self.assertIn("TLS Web Server Authentication", text)
        (self.stack.folder / "server.pem").write_text(server.pem)
        openssl("verify", "-x509_strict", "-CAfile", self.stack.folder / "ca" / "root.pem", "-untrusted",
                self.stack.folder / "ca" / "server-ca.pem", "-purpose", "sslserver", "-verify_hostname",
                server.dns, self.stack.folder / "server.pem")
        for role in ("registered", "technical"):
            mail = server.mail(role, [server.serial])
            self.assertIn(server.contacts[role]["name"], body_of(mail))
        self.assertFalse(mails_to(self.stack, server.address("administrative")))
        second = Server(self, contract=server.contract).issue()
        self.assertEqual(second.contract, server.contract)
        listed = self.done(self.client.run("lookup", {"contract": server.contract, "by": BY}))["certificates"]
        self.assertEqual({c["common_name"] for c in listed}, {server.dns, second.dns})
        text = self.stack.certq("contract", "show", server.contract).stdout
        for word in (server.address("technical"), server.certificate, second.certificate):
            self.assertIn(word, text)
        self.refused(self.client.run("lookup", {"contract": server.contract}), "forbidden")

    def test_1_bad_application(self):
        server = Server(self, contacts={"technical": {"email": "no address"}})
        fields = self.refused(server.ask(dns=["-bad-"]), "bad-request")["fields"]
        self.assertEqual(set(fields), {"contract.contacts.technical.email", "dns"})
        server = Server(self)
        asked = self.done(server.ask())
        self.assertEqual(self.decide(asked["application"], "reject", note="在籍を確認できない")["state"], "rejected")
        self.assertEqual(self.row(asked["certificate"])[0], "cancelled")

    def test_2_change_of_contact(self):
        """C2, C3: reviewed, told to old and new; the account's destination at once."""
        server = Server(self).issue()
        new = f"new-{server.address('technical')}"
        asked = self.done(self.client.run("change", {"contract": server.contract, "by": BY, "changes": {
            "contacts.technical.email": new, "contacts.technical.name": "新技術 〇〇"}}))
        self.assertEqual((asked["state"], asked["follow_up"]), ("awaiting-review", "none"))
        self.decide(asked["application"])
        for address in (server.address("technical"), new, server.address("registered")):
            until(f"the completion to {address}", lambda: [
                m for m in mails_to(self.stack, address) if "変更" in m["Subject"]])
        self.refused(self.client.run("change", {"contract": server.contract, "by": BY, "changes": {
            "contacts.registered.company": "別の会社"}}), "contact-us")
        done = self.done(self.client.run("change", {"contract": server.contract, "by": BY, "changes": {
            "account.otp_email": f"otp2-{server.number}@example.jp"}}))
        self.assertEqual(done["state"], "done")
        for name in ("otp", "otp2"):
            until("the account's mail", lambda: mails_to(self.stack, f"{name}-{server.number}@example.jp"))
        shown = self.stack.certq_json("contract", "show", server.contract)[0]
        self.assertEqual(shown["contacts"]["technical"]["email"], new)
        self.assertEqual(shown["account"]["otp_email"], f"otp2-{server.number}@example.jp")
        rejected = self.done(self.client.run("change", {"contract": server.contract, "by": BY, "changes": {
            "contacts.administrative.telephone": "0399999999"}}))
        self.decide(rejected["application"], "reject", note="電話番号が確認できない")
        until("the refusal", lambda: mails_to(self.stack, server.address("administrative")))
        shown = self.stack.certq_json("contract", "show", server.contract)[0]
        self.assertEqual(shown["contacts"]["administrative"]["telephone"], "0312345678")

    def test_3_deferred_reissue(self):
        """C4, C5, C7, X4: reviewed; the old one goes fourteen days later, to the second."""
        server = Server(self).issue()
        first, until_day = server.certificate, server.pem
        asked = self.done(server.reissue(revocation="deferred"))
        self.assertEqual((asked["state"], asked["chargeable"]), ("awaiting-approval", False))
        self.refused(server.reissue(revocation="immediate"), "already-requested")
        got = self.decide(asked["application"])
        server.take(got)
        server.mail("technical", [server.serial])
        self.assertEqual(openssl("x509", "-noout", "-enddate", stdin=until_day.encode()).stdout,
                         openssl("x509", "-noout", "-enddate", stdin=server.pem.encode()).stdout)
        issued = datetime.fromisoformat(
            self.stack.certq_json("cert", "show", server.certificate)[0]["issued"])
        self.assertEqual(datetime.fromisoformat(got["revoke_at"]) - issued, timedelta(days=14))
        shown = self.stack.certq_json("cert", "show", first)[0]
        self.assertEqual(shown["revocation"]["successor"], server.certificate)
        self.refused(server.reissue(revocation="immediate"), "new-application")  # once only
        self.travel(days=13, hours=23, minutes=50)
        self.assertEqual(self.row(first)[0], "valid")
        self.travel(minutes=12)
        until("the deferred revocation", lambda: self.row(first)[0] == "revoked")
        shown = self.stack.certq_json("cert", "show", first)[0]
        self.assertEqual(datetime.fromisoformat(shown["revoked"]) - issued, timedelta(days=14))
        self.assertEqual(self.state(server), "valid")

    def test_4_limits(self):
        """C4, C6: days, counts and reasons of both products."""
        ev, sr = Server(self).issue(), Server(self, "web-sr").issue()
        self.assertIn("revocation", self.refused(ev.reissue(), "bad-request")["fields"])
        self.assertIn("revocation", self.refused(ev.reissue(reason="unusable", revocation="deferred"),
                                                 "bad-request")["fields"])
        self.refused(ev.reissue(reason="key-compromise", revocation="immediate"), "contact-us")
        self.travel(days=26)
        self.refused(ev.reissue(revocation="deferred"), "new-application")
        self.refused(sr.reissue(revocation="deferred"), "contact-us")
        asked = self.done(sr.reissue(by=OPERATOR, revocation="immediate"))
        first = sr.certificate
        sr.take(self.decide(asked["application"]))
        self.assertEqual(self.row(first)[0], "revoked")

    def test_5_compromise(self):
        """C6: an operator handles it at once; the review comes after; the key is never certified again."""
        server = Server(self).issue()
        first, csr = server.certificate, server.csr()
        again = self.done(self.client.run("reissue", {"certificate": first, "reason": "key-compromise",
                                                      "csr": csr, "by": OPERATOR}))
        server.take(again)
        self.assertEqual(self.row(first)[0], "revoked")
        self.assertEqual(self.decide(again["application"])["state"], "reviewed")

    def test_6_notices(self):
        """C9: to the contacts the product names, who want to hear of it."""
        both = Server(self).issue()
        one = Server(self, contacts={"registered": {"renewal_notice": "unwanted"}}).issue()
        end = datetime.fromisoformat(self.stack.certq_json("cert", "show", both.certificate)[0]["not_after"])
        self.stack.certq("clock", "set", (end - timedelta(days=30)).strftime("%Y-%m-%dT%H:%M:%SZ"))
        self.stack.certq("scan", timeout=60)
        for server, role in ((both, "registered"), (both, "technical"), (one, "technical")):
            server.mail(role, ["有効期"])
        self.assertFalse([s for s in one.subjects("registered") if "有効期" in s])
        renewed = self.done(self.client.run("renew", {
            "certificate": both.certificate, "csr": both.csr(), "by": BY,
            "changes": {"contacts.technical.telephone": "0311112222"}}))
        self.assertEqual(renewed["state"], "awaiting-approval", renewed)
        old = both.certificate
        both.take(self.decide(renewed["application"]))
        self.assertEqual(self.row(old)[0], "valid")  # lives to its end
        shown = self.stack.certq_json("contract", "show", both.contract)[0]
        self.assertEqual(shown["contacts"]["technical"]["telephone"], "0311112222")
        self.stack.certq("clock", "set", (end - timedelta(days=10)).strftime("%Y-%m-%dT%H:%M:%SZ"))
        self.stack.certq("scan", timeout=60)
        until("the second notice", lambda: len([s for s in one.subjects("technical") if "有効期" in s]) == 2)
        self.assertEqual(len([s for s in both.subjects("technical") if "有効期" in s]), 1)

    def test_7_cancellation(self):
        """C8: asked for in words, confirmed by telephone, mapped, revoked; the contract is over."""
        server = Server(self).issue()
        self.assertIn("reason", self.refused(self.client.run("revoke", {
            "certificate": server.certificate, "by": BY}), "bad-request")["fields"])
        asked = self.done(self.client.run("revoke", {
            "certificate": server.certificate, "reason": "サービスを終了するため", "by": BY}))
        self.assertEqual(asked["state"], "awaiting-confirmation")
        self.assertEqual(self.state(server), "valid")
        called = {"by": "telephone", "with": "registered", "person": "登録 〇〇",
                  "at": self.now().strftime("%Y-%m-%dT%H:%M:%SZ")}
        word = {"subject": asked["application"], "decision": "approve", "operator": "desk-1"}
        fields = self.refused(self.client.run("decide", word), "bad-request")["fields"]
        self.assertTrue({"reason", "confirmation"} & set(fields), fields)
        done = self.done(self.client.run("decide", {**word, "reason": "cessationOfOperation", "confirmation": called}))
        self.assertEqual((done["state"], done["contract_ended"]), ("revoked", True))
        server.mail("registered", [server.serial, "失効"])
        self.refused(server.reissue(revocation="immediate"), "contract-ended")
        self.refused(Server(self, contract=server.contract).ask(), "contract-ended")
        self.done(self.client.run("crl", {"issuer": "server-ca"}))
        crl = openssl("crl", "-inform", "DER", "-in", self.stack.folder / "crl" / "server-ca.crl",
                      "-noout", "-text").stdout.decode().replace(":", "").lower()
        self.assertIn(server.serial.lower(), crl)


if __name__ == "__main__":
    unittest.main(verbosity=2)
