"""What is certified and for how long: CSRs of all sorts, subjects, validity to the second (A1, B9, E1),
approval by an operator, revocation and the CRL."""
import datetime
import shutil
import tempfile
import time
import unittest

import csr as requests
from harness import new_id, until
from people import OPERATOR, Applicant, StackCase, dates, openssl, products_with, raw_mails_to, uuid_hex

UTC = datetime.timezone.utc
JST = datetime.timezone(datetime.timedelta(hours=9))


def instant(text):
    return datetime.datetime.fromisoformat(text.replace("Z", "+00:00"))


class Certificates(StackCase):

    @classmethod
    def setUpClass(cls):
        cls.made = tempfile.mkdtemp(prefix="certq-products-")
        products = products_with(cls.made, "approved", lines={
            "approval: none": "approval: operator",
            "organisation.ja:    {required: true,": "organisation.ja:    {required: true, most: 64,",
            "{rdn: O, field: organisation.latin}": "{rdn: O, field: organisation.ja}",
            "{rdn: CN, field: name.latin}": "{rdn: CN, field: name.ja}"})
        cls.OPTIONS = {"products": products}
        super().setUpClass()

    @classmethod
    def tearDownClass(cls):
        super().tearDownClass()
        shutil.rmtree(cls.made)

    def issued(self, **options):
        who = Applicant(self.stack, **options)
        who.issue(self.client)
        return who

    # --- the CRL, first of all empty ---

    def crl(self):
        """Makes one; returns (the job's result, its text by openssl)."""
        made = self.stack.certq_json("submit", "crl", "--set", "issuer=person-ca", "--wait=30")[-1]
        result = self.done(made)
        path, issuer = self.stack.folder / "crl" / "person-ca.crl", self.stack.folder / "ca" / "person-ca.pem"

        def published():
            done = openssl("crl", "-inform", "DER", "-in", path, "-noout", "-crlnumber", check=False)
            return done.returncode == 0 and int(done.stdout.decode().split("=")[1],
                                                16) == result["number"]
        until(f"CRL {result['number']} in {path}", published)
        openssl("crl", "-inform", "DER", "-in", path, "-CAfile", issuer, "-noout")
        return result, openssl("crl", "-inform", "DER", "-in", path, "-noout", "-text").stdout.decode()

    def test_a_crl_of_nothing_comes_first(self):
        before = self.stack.count("revocation")
        result, text = self.crl()
        self.assertLessEqual({"number", "entries", "this_update", "next_update"}, set(result))
        self.assertEqual((result["entries"], before), (0, 0))
        self.assertIn("No Revoked Certificates", text)
        self.assertIn("Version 2", text)
        self.assertEqual(instant(result["next_update"]) - instant(result["this_update"]),
                         datetime.timedelta(days=7))
        again, _ = self.crl()
        self.assertGreater(again["number"], result["number"])

    def test_a_revoked_certificate_is_on_the_crl(self):
        who, kept = self.issued(), self.issued()
        got, good = self.done(who.retrieve(self.client)), self.done(kept.retrieve(self.client))
        revoked = self.done(who.revoke(self.client, reason="keyCompromise"))
        self.assertEqual((revoked["certificate"], revoked["state"]), (who.certificate, "revoked"))
        self.assertEqual(revoked["serial"], got["serial"])
        self.assertLess(abs((instant(revoked["revoke_at"]) - datetime.datetime.now(UTC)).total_seconds()), 60)
        self.refused(who.retrieve(self.client))
        result, text = self.crl()
        entries = text.partition("Revoked Certificates:")[2].split("Serial Number: ")
        entry = next(e for e in entries if e.lower().startswith(got["serial"]))
        self.assertIn("Key Compromise", entry)
        self.assertNotIn(good["serial"].upper(), text)
        self.assertEqual(result["entries"], len(entries) - 1)
        self.assertIn("revoked", self.check(got))
        self.assertEqual(self.check(good), "")
        shown = self.stack.certq_json("cert", "show", got["serial"])[0]
        self.assertIn("keyCompromise", str(shown))
        # Asked again it says what is so; another reason does not change what was recorded.
        again = who.revoke(self.client, reason="superseded")
        self.assertIn(again["state"], ("done", "refused"))
        self.assertEqual(self.stack.sql("SELECT reason FROM revocation WHERE certificate = "
                                        f"UNHEX('{uuid_hex(who.certificate)}')"), [["1"]])

    def check(self, got):
        """What openssl says of it against the published CRL; empty when it is good."""
        folder = self.stack.folder
        openssl("crl", "-inform", "DER", "-in", folder / "crl" / "person-ca.crl", "-out",
                folder / "crl.pem")
        (folder / "got.pem").write_text(got["pem"])
        done = openssl("verify", "-crl_check", "-partial_chain", "-trusted",
                       folder / "ca" / "person-ca.pem",
                       "-CRLfile", folder / "crl.pem", folder / "got.pem", check=False)
        return "" if done.returncode == 0 else done.stderr.decode() + done.stdout.decode()

    def test_reasons_of_a_revocation(self):
        for reason, number in (("unspecified", 0), ("affiliationChanged", 3), ("superseded", 4),
                               ("cessationOfOperation", 5), ("privilegeWithdrawn", 9)):
            with self.subTest(reason):
                who = self.issued()
                self.done(who.retrieve(self.client))
                self.done(who.revoke(self.client, reason=reason))
                self.assertEqual(self.stack.sql("SELECT reason FROM certificate WHERE id = "
                                                f"UNHEX('{uuid_hex(who.certificate)}')"),
                                                [[str(number)]])
        who = self.issued()
        self.done(who.retrieve(self.client))
        for reason in ("no such reason", "", 7, None, "cACompromise"):
            with self.subTest(reason):
                error = self.refused(who.revoke(self.client, reason=reason), "bad-request")
                self.assertIn("reason", error["fields"])
        self.assertEqual(self.row(who.certificate)[0], "valid")

    def test_one_that_was_never_retrieved_is_cancelled(self):
        who = self.issued()
        code = who.code()
        self.done(who.revoke(self.client, reason="cessationOfOperation"))
        self.assertEqual(self.row(who.certificate)[0], "cancelled")
        self.refused(who.retrieve(self.client, code=code))
        self.assertEqual(self.stack.count("revocation", f"certificate = UNHEX('{uuid_hex(who.certificate)}')"), 0)

    def test_revoke_by_serial_and_of_nothing(self):
        who = self.issued()
        serial = self.done(who.retrieve(self.client))["serial"]
        by = {"reason": "superseded", "by": OPERATOR}
        self.refused(self.client.run("revoke", {"certificate": new_id(), **by}), "not-found")
        self.refused(self.client.run("revoke", {"serial": "0123456789abcdef", **by}), "not-found")
        self.refused(self.client.run("revoke", {**by}), "bad-request")
        self.refused(self.client.run("revoke", {"certificate": "no uuid", **by}), "bad-request")
        self.assertEqual(self.done(self.client.run("revoke", {"serial": serial, **by}))["state"],
                         "revoked")

    # --- CSRs ---

    def test_bad_csrs_are_named(self):
        who = self.issued()
        code, messages = who.code(), {}
        for name, csr in requests.bad(self.stack.folder).items():
            with self.subTest(name):
                error = self.refused(who.retrieve(self.client, csr=csr, code=code), "bad-request")
                self.assertEqual(list(error["fields"]), ["csr"], error)
                messages[name] = error["fields"]["csr"]
        for csr in (7, ["x"], {"pem": "x"}, None):
            with self.subTest(csr=csr):
                error = self.refused(who.retrieve(self.client, csr=csr, code=code), "bad-request")
                self.assertIn("csr", error["fields"])
        for name, word in {"signature": "signature", "RSA of 1024 bits": "1024", "secp224r1": "curve",
                           "explicit parameters": "explicit", "two in one": "one",
                           "NUL in a name": "NUL",
                           "a certificate": "CERTIFICATE"}.items():
            self.assertIn(word.lower(), messages.get(name, "").lower(), name)
        self.assertEqual(self.row(who.certificate)[0], "awaiting-retrieval")
        self.done(who.retrieve(self.client))  # no bad CSR counted as a wrong password

    def test_good_csrs_of_all_sorts(self):
        for name, csr in requests.good(self.stack.folder).items():
            with self.subTest(name):
                who = self.issued(product="online-banking")
                got = self.done(who.retrieve(self.client, csr=csr))
                subject = openssl("x509", "-noout", "-subject", "-nameopt", "utf8,sep_comma_plus",
                                  stdin=got["pem"].encode()).stdout.decode()
                self.assertIn(f"CN={who.user_id}", subject)  # ours, never the CSR's

    # --- approval ---

    def test_nothing_goes_out_before_an_operator_approves(self):
        who = Applicant(self.stack, product="approved")
        result = who.issue(self.client)
        self.assertEqual(result["state"], "awaiting-approval")
        self.assertEqual(self.row(who.certificate)[0], "awaiting-approval")
        decide = {"subject": who.application, "operator": "desk-1", "by": OPERATOR}
        for wrong, field in (({"decision": "perhaps"}, "decision"), ({}, "decision"),
                             ({"decision": "approve", "operator": None, "by": {"role": "operator"}},
                              "by.operator"),
                             ({"decision": "approve", "operator": "desk-2"}, "operator"),
                             ({"decision": "approve", "subject": None}, "subject")):
            args = {k: v for k, v in {**decide, **wrong}.items() if v is not None}
            error = self.refused(self.client.run("decide", args), "bad-request")
            self.assertIn(field, error["fields"])
        self.refused(self.client.run("decide", {**decide, "decision": "approve", "by": {
            "role": "subscriber", "how": "credentials"}}))
        self.assertEqual(raw_mails_to(self.stack, who.email), [])
        approved = self.done(self.client.run("decide", {**decide, "decision": "approve",
                                                        "note": "form seen"}))
        self.assertEqual((approved["state"], approved["certificate"]), ("code-queued", who.certificate))
        got = self.done(who.retrieve(self.client))
        self.refused(self.client.run("decide", {**decide, "decision": "reject"}), "not-awaiting")
        self.japanese_subject(got)

    def japanese_subject(self, got):
        shown = openssl("x509", "-noout", "-subject", "-nameopt", "utf8,show_type,sep_comma_plus",
                        stdin=got["pem"].encode()).stdout.decode()
        self.assertIn("O=UTF8STRING:〇〇株式会社", shown)
        self.assertIn("CN=UTF8STRING:〇〇 花子", shown)
        self.assertIn("C=PRINTABLESTRING:JP", shown)

    def test_a_rejected_application_ends(self):
        who = Applicant(self.stack, product="approved")
        who.issue(self.client)
        decide = {"subject": who.application, "operator": "desk-1"}
        self.done(self.client.run("decide", {**decide, "decision": "reject", "note": "no form"}))
        self.assertEqual(self.row(who.certificate)[0], "cancelled")
        self.refused(self.client.run("decide", {**decide, "decision": "approve"}), "not-awaiting")
        self.refused(self.client.run("decide", {**decide, "decision": "approve", "subject": new_id()}),
                     "not-found")
        self.assertEqual(who.code_mails(), [])

    # --- validity, by the test clock ---

    def set_clock(self, when):
        self.addCleanup(self.stack.certq, "clock", "reset")
        self.stack.certq("clock", "set", when.astimezone(UTC).isoformat().replace("+00:00", "Z"))
        self.shift = when.timestamp() - time.time()  # roughly: the programs' own answer counts

    def domain_now(self):
        return instant(self.stack.certq_json("clock", "show")[0]["now"])

    def accepted_at(self, id):
        return instant(self.stack.certq_json("job", "show", id)[0]["created"])

    def year(self):
        """The sources' year where the CA lets us, else one ahead."""
        start = openssl("x509", "-noout", "-startdate", "-dateopt", "iso_8601", "-in",
                        self.stack.folder / "ca" / "person-ca.pem").stdout.decode().split("=")[1]
        return 2006 if start < "2006-07-23" else 2027

    def retrieve_at(self, who, when, least):
        """Retrieves so that it is accepted at the domain's time `when` or less than `least` later."""
        args = who.retrieve_args()
        lead = datetime.timedelta(seconds=4)
        self.set_clock(when - lead)
        ahead = (when - self.domain_now()).total_seconds()
        self.assertGreater(ahead, 0, "the machine is too slow for this test")
        until("the instant", lambda deadline=time.monotonic() + ahead: time.monotonic() >= deadline)
        id = self.client.submit("retrieve", args)
        got = self.done(self.client.done(id))
        accepted = self.accepted_at(id)
        self.assertGreaterEqual(accepted, when)
        self.assertLess(accepted - when, least, "the machine is too slow for this test")
        return got

    def test_the_days_of_b9(self):
        year = self.year()
        second = datetime.timedelta(seconds=1)
        rows = ((datetime.datetime(year, 7, 23, 23, 59, 59, tzinfo=UTC), second),
                (datetime.datetime(year, 7, 24, 0, 0, 0, tzinfo=UTC), 60 * second))
        people = [self.issued() for _ in rows]
        codes = [who.code() for who in people]
        for who, (when, least), code in zip(people, rows, codes):
            with self.subTest(str(when)):
                got = self.retrieve_at(who, when, least)
                last = when.date() + datetime.timedelta(days=760)
                self.assertEqual(got["not_before"], f"{when.date()}T00:00:00Z")
                self.assertEqual(got["not_after"], f"{last}T23:59:59Z")
                self.assertEqual(dates(got["pem"]), (f"{when.date()} 00:00:00Z", f"{last} 23:59:59Z"))
                answer = self.client.run("lookup", {"email": who.email, "password": who.password,
                                                    "code": code})
                shown = self.done(answer)["certificates"][0]["shown"]
                self.assertEqual([shown["from"][:10], shown["to"][:10]],
                                 [f"{d:%Y/%m/%d}" for d in (when.date(),
                                                            last + datetime.timedelta(days=1))])

    def test_one_year_of_e1(self):
        rows = ((2027, 4, 1, 2028, 4, 1), (2027, 2, 28, 2028, 2, 28), (2027, 8, 31, 2028, 8, 31))
        for y, m, d, to_y, to_m, to_d in rows:
            when = datetime.datetime(y, m, d, 15, 30, 0, tzinfo=JST)
            with self.subTest(str(when)):
                self.set_clock(when)
                who = self.issued(product="online-banking")
                got = self.done(who.retrieve(self.client))
                end = datetime.datetime(to_y, to_m, to_d, 23, 59, 59, tzinfo=JST).astimezone(UTC)
                self.assertEqual(instant(got["not_after"]), end)
                begin = instant(got["not_before"])
                self.assertLessEqual(abs(begin - when), datetime.timedelta(seconds=60))
                self.assertEqual(dates(got["pem"]),
                                 (f"{begin:%Y-%m-%d %H:%M:%SZ}", f"{end:%Y-%m-%d %H:%M:%SZ}"))

    def test_the_day_of_acceptance_counts_not_that_of_the_work(self):
        """I7: accepted before midnight, done after it."""
        who = self.issued()
        args = who.retrieve_args()
        midnight = datetime.datetime(self.year(), 9, 2, tzinfo=UTC)
        self.set_clock(midnight - datetime.timedelta(minutes=5))
        self.stack.certq("queue", "pause", "retrieve")
        self.addCleanup(self.stack.certq, "queue", "resume", "retrieve")
        id = self.client.submit("retrieve", args)
        self.assertEqual(self.client.accepted(id)["state"], "accepted")
        self.set_clock(midnight + datetime.timedelta(minutes=5))
        self.stack.certq("queue", "resume", "retrieve")
        got = self.done(self.client.done(id))
        self.assertEqual(got["not_before"], f"{midnight.date() - datetime.timedelta(days=1)}T00:00:00Z")


if __name__ == "__main__":
    unittest.main()
