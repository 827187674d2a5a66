"""S/MIME: what readers receive over SMTP is accepted by openssl, in both languages, and only as it was sent."""
import pathlib
import unittest

from people import CODE, Applicant, StackCase, body_of, openssl, parse, raw_mails_to
from harness import until

CONFIG = "[e]\nbasicConstraints = CA:FALSE\nkeyUsage = critical, digitalSignature\n" \
         "extendedKeyUsage = emailProtection\nsubjectAltName = email:certq@example.jp\n"


def make_card(folder):
    """A root, and a certificate for the sender's address signed by it."""
    keys = folder / "keys"
    (folder / "mail.cnf").write_text(CONFIG)
    ec = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")
    openssl("req", "-x509", *ec, "-keyout", folder / "root.key", "-out", folder / "root.pem", "-days", "30",
            "-subj", "/CN=Example Mail Root", "-addext", "basicConstraints=critical,CA:TRUE")
    openssl("req", *ec, "-keyout", keys / "mail.key", "-out", folder / "mail.csr", "-subj", "/CN=Example Service")
    openssl("x509", "-req", "-in", folder / "mail.csr", "-CA", folder / "root.pem", "-CAkey", folder / "root.key",
            "-out", keys / "mail.pem", "-days", "30", "-extfile", folder / "mail.cnf", "-extensions", "e")
    (keys / "mail.key").chmod(0o600)


class Signed(StackCase):

    @classmethod
    def start(cls, stack):
        make_card(stack.folder)
        super().start(stack)
        cls.mail_worker.stop()
        path = stack.config_path()
        path.write_text(path.read_text().replace(
            "  help_ja:", "  sign_certificate: keys/mail.pem\n  sign_key: keys/mail.key\n  help_ja:", 1))
        cls.mail_worker = stack.start_worker("mail", name="signing")

    def verify(self, raw, tool="cms"):
        path = self.stack.folder / "received.eml"
        path.write_bytes(raw)
        done = openssl(tool, "-verify", "-in", path, "-inform", "SMIME", "-CAfile", self.stack.folder / "root.pem",
                       check=False)
        return done.returncode == 0, done.stdout

    def test_openssl_accepts_what_came(self):
        for language in ("ja", "en"):
            who = Applicant(self.stack, language=language)
            who.issue(self.client)
            raw = until("a mail", lambda: raw_mails_to(self.stack, who.email))[0]
            message = parse(raw)
            self.assertEqual(message.get_content_type(), "multipart/signed")
            self.assertEqual(message.get_param("micalg"), "sha-256")
            self.assertEqual(message.get_param("protocol"), "application/pkcs7-signature")
            self.assertRegex(body_of(message), "証明書コード" if language == "ja" else "certificate code")
            self.assertTrue(CODE.search(body_of(message)))
            for tool in ("cms", "smime"):
                accepted, content = self.verify(raw, tool)
                self.assertTrue(accepted, tool)
                inner = parse(content)
                self.assertEqual(body_of(inner), body_of(message))
            place = raw.index(b"charset=utf-8")
            self.assertFalse(self.verify(raw[:place] + b"charset=utf-7" + raw[place + 13:])[0])
            self.done(who.retrieve(self.client, csr=who.csr))

    def test_a_key_that_does_not_fit_stops_the_worker(self):
        path = pathlib.Path(self.stack.config_path())
        kept = path.read_text()
        try:
            path.write_text(kept.replace("from: certq@example.jp", "from: other@example.jp"))
            worker = self.stack.start_worker("mail", name="wrong", wait=False)
            until("its end", lambda: not worker.alive())
            self.assertEqual(worker.returncode, 78)
            self.assertIn("does not name the address of mail.from", worker.log())
        finally:
            path.write_text(kept)


if __name__ == "__main__":
    unittest.main()
