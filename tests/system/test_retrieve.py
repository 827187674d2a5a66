"""From the application to a certificate in hand, through the real programs: fields of the answers, the mail
as it arrives, credentials and their refusals (A7, B2, D7), repeats (X6, I3), and who is locked out."""
import email.utils
import subprocess
import threading
import time
import unittest

from harness import make_key_and_csr, new_id, until
from people import (CODE, FULL_WIDTH, WELL_FORMED, Applicant, StackCase, body_of, hashed, openssl,
                    parse,
                    raw_mails_to)


class Retrieve(StackCase):

    def issued(self, **options):
        """Somebody who has applied and whose code has come."""
        who = Applicant(self.stack, **options)
        who.issue(self.client)
        if who.product == "association":
            who.code()
        return who

    # --- the way it should go ---

    def test_association_from_application_to_certificate(self):
        who = Applicant(self.stack)
        result = who.issue(self.client)
        self.assertEqual(set(result), {"application", "certificate", "state", "chargeable",
                                       "charge_reason", "subscriber"})
        self.assertEqual(result["state"], "code-queued")
        self.assertIs(result["chargeable"], True)
        self.assertTrue(result["charge_reason"])
        got = self.done(who.retrieve(self.client))
        self.assertEqual(set(got), {"certificate", "serial", "not_before", "not_after", "pem", "chain"})
        self.assertEqual(got["certificate"], result["certificate"])
        self.assertRegex(got["serial"], r"^[0-9a-f]{16,40}$")
        self.assertEqual(self.row(who.certificate), ["valid", got["serial"]])
        self.judge(who, got, "C=JP,O=Maru Co Ltd,CN=Hanako Maru", who.email)
        self.assertEqual(got["not_before"][11:], "00:00:00Z")  # A1, B9: the start of the UTC day
        self.assertEqual(got["not_after"][11:], "23:59:59Z")

    def test_online_banking_has_no_code_and_no_mail(self):
        who = Applicant(self.stack, product="online-banking")
        result = who.issue(self.client)
        self.assertEqual(result["state"], "awaiting-retrieval")
        self.assertIsNone(result["chargeable"])  # for upstream to say
        got = self.done(who.retrieve(self.client))
        self.judge(who, got, f"C=JP,O=Maru Co Ltd,CN={who.user_id}", who.email)
        until("the mail that it was issued", lambda: raw_mails_to(self.stack, who.email))
        self.assertEqual(who.code_mails(), [])

    def judge(self, who, got, subject, address):
        """OpenSSL and GnuTLS accept it, for this key, subject and address."""
        folder = self.stack.folder
        (folder / "got.pem").write_text(got["pem"])
        (folder / "chain.pem").write_text(got["chain"])
        openssl("verify", "-x509_strict", "-CAfile", folder / "ca" / "root.pem", "-untrusted",
                folder / "chain.pem", folder / "got.pem")
        parts = got["pem"] + (folder / "ca" / "person-ca.pem").read_text() + (folder / "ca" / "root.pem").read_text()
        (folder / "all.pem").write_text(parts)
        certtool = subprocess.run(["certtool", "--verify", "--load-ca-certificate",
                                   folder / "ca" / "root.pem",
                                   "--infile", folder / "all.pem"], capture_output=True, text=True)
        self.assertEqual(certtool.returncode, 0, certtool.stdout + certtool.stderr)
        text = openssl("x509", "-noout", "-subject", "-serial", "-ext",
                       "subjectAltName,basicConstraints,keyUsage,"
                       "extendedKeyUsage,crlDistributionPoints", "-nameopt", "utf8,sep_comma_plus",
                       stdin=got["pem"].encode()).stdout.decode()
        self.assertIn(f"subject={subject}\n", text)
        self.assertIn(f"serial={got['serial'].upper()}", text)
        self.assertIn(f"email:{address}", text)
        self.assertIn("TLS Web Client Authentication", text)
        self.assertIn("http://crl.example.jp/crl/person-ca.crl", text)
        self.assertNotIn("CA:TRUE", text)
        ours = openssl("pkey", "-in", who.key, "-pubout").stdout
        self.assertEqual(openssl("x509", "-pubkey", "-noout", stdin=got["pem"].encode()).stdout, ours)

    # --- the mail ---

    def test_the_mail_as_received(self):
        rows = (("ja", "証明書コードのお知らせ", "〇〇 花子 様", "〇〇電子証明書サービス"),
                ("en", "Your certificate code", "Hanako Maru", "Example Certificate Service"))
        for language, subject, addressed, sender in rows:
            with self.subTest(language):
                began = time.time()
                who = self.issued(language=language)
                raws = raw_mails_to(self.stack, who.email)
                self.assertEqual(len(raws), 1)
                raw, message = raws[0], parse(raws[0])
                self.assertIn(subject, message["Subject"])
                self.assertNotIn("=?", message["Subject"])
                name, address = email.utils.parseaddr(str(message["From"]))
                self.assertEqual((name, address), (sender, "certq@example.jp"))
                self.assertEqual(email.utils.parseaddr(str(message["To"]))[1], who.email)
                self.assertEqual(message["Auto-Submitted"], "auto-generated")
                self.assertEqual(message["MIME-Version"], "1.0")
                date = email.utils.parsedate_to_datetime(message["Date"]).timestamp()
                self.assertLess(abs(date - began), 60)
                listed = self.stack.certq_json("mail", "list", "--to", who.email)
                self.assertEqual(len(listed), 1, listed)
                self.assertEqual(message["Message-ID"], f"<{listed[0]['mail']}@example.jp>")
                self.assertEqual(listed[0]["message_id"].strip("<>"), message["Message-ID"].strip("<>"))
                self.assertEqual(listed[0]["state"], "sent")
                self.assertEqual(message.get_body(("plain",)).get_content_charset(), "utf-8")
                self.look_at_lines(raw)
                self.look_at_text(who, raw, body_of(message), addressed)

    def look_at_lines(self, raw):
        self.assertTrue(raw.endswith(b"\r\n"))
        for line in raw.split(b"\r\n"):
            self.assertLessEqual(len(line), 78, line)
            self.assertNotIn(b"\n", line)
            self.assertNotIn(b"\r", line)
        headers = raw.partition(b"\r\n\r\n")[0]
        self.assertTrue(headers.isascii())

    def look_at_text(self, who, raw, text, addressed):
        self.assertEqual(len(CODE.findall(text)), 1)
        code = CODE.search(text).group()
        self.assertEqual(text.count(code), 1)
        self.assertIn(addressed, text)
        self.assertNotIn("{{", text)
        self.assertNotIn("\ufffd", text)
        self.assertIn("help@example.jp", text)
        for secret in (who.password, code):
            self.assertNotIn(secret, raw.partition(b"\r\n\r\n")[0].decode())
        self.assertNotIn(who.password, text)

    # --- codes as people type them ---

    def test_codes_as_people_type_them(self):
        who = self.issued()
        code = who.code()
        rows = (code, code.lower(), code.replace("-", ""), code.replace("-", " "), f"  {code} ",
                code.translate(FULL_WIDTH), code.lower().translate(FULL_WIDTH), code.replace("-", "－"),
                code.replace("-", "　"), code.replace("-", "‐"))
        serials = set()
        for typed in rows:
            with self.subTest(typed):
                serials.add(self.done(who.retrieve(self.client, code=typed))["serial"])
        self.assertEqual(len(serials), 1)

    def test_a_mistyped_code_is_told_apart_from_a_wrong_one(self):
        who = self.issued()
        code = who.code()
        wrong = self.refused(who.retrieve(self.client, code=WELL_FORMED))
        other = "3" if code[2] != "3" else "4"
        exchanged = next(i for i in range(18) if "-" not in code[i:i + 2] and code[i] != code[i + 1])
        rows = (code[:2] + other + code[3:], code[:-1], code + "2", "",
                code[:exchanged] + code[exchanged + 1] + code[exchanged] + code[exchanged + 2:],
                "0" + code[1:], "O" + code[1:], "1" + code[1:], "i" + code[1:], "é" + code[1:])
        for typed in rows:
            with self.subTest(typed):
                error = self.refused(who.retrieve(self.client, code=typed), "bad-request")
                self.assertIn("code", error["fields"])
                self.assertNotEqual(error["code"], wrong["code"])
        # A slip of the fingers is no guess: nobody is locked out by it.
        self.done(who.retrieve(self.client))

    # --- refusals that tell nothing ---

    def test_wrong_credentials_are_refused_in_one_way(self):
        who, other = self.issued(), self.issued()
        gone = self.issued()
        gone_code = gone.code()
        self.done(gone.revoke(self.client))
        rows = {
            "password": who.retrieve_args(password="wrong"),
            "empty password": who.retrieve_args(password=" "),
            "code": who.retrieve_args(code=WELL_FORMED),
            "code of somebody else": who.retrieve_args(code=other.code()),
            "email of somebody else": who.retrieve_args(email=other.email),
            "email of nobody": who.retrieve_args(email="nobody@example.jp"),
            "everything": who.retrieve_args(email="nobody@example.jp", password="x", code=WELL_FORMED),
            "password, of a cancelled one": gone.retrieve_args(password="x", code=gone_code),
            "code, of a cancelled one": gone.retrieve_args(code=WELL_FORMED),
        }
        errors = {}
        for name, args in rows.items():
            error = self.refused(self.client.run("retrieve", args))
            errors.setdefault((error["code"], error["message"], str(error.get("fields"))),
                              []).append(name)
        self.assertEqual(len(errors), 1, errors)
        self.done(who.retrieve(self.client))
        self.refused(gone.retrieve(self.client, code=gone_code))

    def test_five_failures_lock(self):
        who = self.issued()
        for attempt in range(4):
            self.refused(who.retrieve(self.client, password="wrong"))
        self.done(who.retrieve(self.client))  # D7: five, not four
        who = self.issued()
        first = self.refused(who.retrieve(self.client, password="wrong"))
        for attempt in range(4):
            self.assertEqual(self.refused(who.retrieve(self.client, password=f"wrong {attempt}")),
                             first)
        self.assertEqual(self.refused(who.retrieve(self.client)), first)
        self.assertEqual(self.row(who.certificate)[0], "awaiting-retrieval")

    def test_twenty_failures_at_once_lock(self):
        who = self.issued()
        ids = [self.client.submit("retrieve", who.retrieve_args(password="wrong")) for _ in range(20)]
        errors = [self.refused(self.client.done(id)) for id in ids]
        right = self.refused(who.retrieve(self.client))
        self.assertEqual({str(e) for e in errors}, {str(right)})
        failures, locked = self.stack.sql(
            f"SELECT failures, locked_ms IS NOT NULL FROM subscriber WHERE email = '{who.email}'")[0]
        self.assertEqual((int(failures) >= 5, locked), (True, "1"))

    def test_a_success_among_failures_starts_the_count_anew(self):
        who = self.issued()
        for _ in range(3):
            for _ in range(4):
                self.refused(who.retrieve(self.client, password="wrong"))
            self.done(who.retrieve(self.client))

    # --- the same again ---

    def test_the_same_request_gives_the_same_certificate(self):
        who = self.issued()
        first = self.done(who.retrieve(self.client))
        for _ in range(3):
            self.assertEqual(self.done(who.retrieve(self.client)), first)  # X6, byte for byte
        _, other = make_key_and_csr(self.stack.folder, "other")
        self.refused(who.retrieve(self.client, csr=other))
        self.assertEqual(self.done(who.retrieve(self.client)), first)
        self.assertEqual(self.stack.count("certificate", f"subscriber = (SELECT id FROM subscriber WHERE "
                                          f"email = '{who.email}')"), 1)

    def test_the_same_job_again_is_the_same_job(self):
        who = self.issued()
        id = new_id()
        args = who.retrieve_args()
        first = self.client.run("retrieve", args, id=id)
        self.done(first)
        with self.stack.client() as another:
            again = another.run("retrieve", args, id=id)
        self.assertEqual(again["state"], "done")
        if "result" in again:  # emptied after the first delivery at the earliest
            self.assertEqual(again, first)
        self.assertEqual(self.stack.count("job_history", f"id = UNHEX('{id.replace('-', '')}')"), 1)

    def test_the_same_id_with_other_content_is_a_conflict(self):
        who = Applicant(self.stack)
        id = new_id()
        self.done(self.client.run("issue", who.issue_args(), id=id))
        rows = {
            "args": ("issue", {**who.issue_args(), "product": "online-banking"}, {}),
            "kind": ("noop", who.issue_args(), {}),
            "at": ("issue", who.issue_args(), {"at": "2027-01-01T00:00:00Z"}),
        }
        for name, (kind, args, more) in rows.items():
            with self.subTest(name), self.stack.client() as another:
                answer = another.run(kind, args, id=id, **more)
                self.assertEqual((answer["state"], answer["error"]["code"]), ("rejected", "conflict"),
                                 answer)
        self.assertEqual(self.stack.count("application", f"job = UNHEX('{id.replace('-', '')}')"), 1)
        with self.stack.client() as another:  # the order of members and the priority are not content
            reordered = dict(reversed(list(who.issue_args().items())))
            self.assertEqual(another.run("issue", reordered, id=id, priority=7)["state"], "done")

    def test_two_at_once_with_different_keys(self):
        for _ in range(8):
            who = self.issued()
            requests = [who.retrieve_args(csr=make_key_and_csr(self.stack.folder, f"race-{i}")[1])
                        for i in range(2)]
            answers, barrier = [None, None], threading.Barrier(2)

            def go(i):
                with self.stack.client() as client:
                    barrier.wait()
                    answers[i] = client.run("retrieve", requests[i])
            threads = [threading.Thread(target=go, args=(i,)) for i in range(2)]
            [t.start() for t in threads]
            [t.join() for t in threads]
            self.assertEqual(sorted(a["state"] for a in answers), ["done", "refused"])
            won = next(a["result"] for a in answers if a["state"] == "done")
            der = openssl("x509", "-outform", "DER", stdin=won["pem"].encode()).stdout
            kept = self.stack.sql("SELECT HEX(der) FROM certificate WHERE id = "
                                  f"UNHEX('{who.certificate.replace('-', '')}')")[0][0]
            self.assertEqual(kept, der.hex().upper())

    # --- others ---

    def test_a_password_hashed_upstream(self):
        who = Applicant(self.stack)
        who.issue(self.client, password=hashed(who.password))
        self.refused(who.retrieve(self.client, password="wrong"))
        self.done(who.retrieve(self.client))

    def test_lookup(self):
        who = self.issued()
        code = who.code()
        got = self.done(who.retrieve(self.client))
        credentials = {"email": who.email, "password": who.password, "code": code}
        result = self.done(self.client.run("lookup", credentials))
        self.assertEqual(len(result["certificates"]), 1)
        entry = result["certificates"][0]
        for name, value in {"certificate": got["certificate"], "serial": got["serial"],
                            "email": who.email,
                            "not_before": got["not_before"], "not_after": got["not_after"],
                            "name": "〇〇 花子", "common_name": "Hanako Maru",
                            "organisation": "〇〇株式会社"}.items():
            self.assertEqual(entry[name], value, name)
        outcomes = set()
        for wrong in ({"password": "x"}, {"code": WELL_FORMED}, {"email": "nobody@example.jp"}):
            answer = self.client.run("lookup", {**credentials, **wrong})
            outcomes.add(str(answer.get("error") or answer["result"]))
        self.assertEqual(len(outcomes), 1, outcomes)  # B2
        self.assertNotIn(got["serial"], str(outcomes))

    def test_an_operator_must_say_who(self):
        who = self.issued()
        for by in ({"role": "subscriber", "how": "credentials"}, {"role": "contact", "how": "session"}):
            with self.subTest(by=by):
                answer = self.client.run("revoke", {"certificate": who.certificate,
                                                    "reason": "keyCompromise",
                                                    "by": by})
                self.refused(answer)
        self.assertEqual(self.row(who.certificate)[0], "awaiting-retrieval")


if __name__ == "__main__":
    unittest.main()
