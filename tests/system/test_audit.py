"""The audit through the real programs: sealed by a schedule and on demand, listed and verified by the command
line, tampering named line by line, and only the administrator able to tamper (D9)."""
import base64
import hashlib
import json
import struct
import subprocess
import unicodedata
import unittest

from harness import BUILD, Stack, until
from people import KINDS, OPERATOR, Applicant, StackCase, openssl, uuid_hex


def columns(line):
    return sum(2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in line)


class Audit(StackCase):

    @classmethod
    def start(cls, stack):
        cls.catcher = stack.start_catcher()
        path = stack.config_path()
        path.write_text(path.read_text() + "schedules:\n  - {name: seal, kind: audit-seal, every: 1s}\n")
        cls.broker = stack.start_broker()
        cls.worker = stack.start_worker(KINDS + ",audit-seal", name="worker")
        cls.mail_worker = stack.start_worker("mail", name="mail")

    def certq(self, *args, code=0):
        """Runs for people; checks the screen's width; returns the text."""
        done = self.stack.certq(*args, check=False)
        self.assertEqual(done.returncode, code, done.stdout + done.stderr)
        for line in done.stdout.splitlines():
            self.assertLessEqual(columns(line), 80, line)
        return done.stdout

    def sealed(self):
        """Waits until the schedule has sealed everything."""
        until("all is sealed", lambda: self.stack.count("audit_unsealed") == 0)
        self.stack.certq("audit", "seal")

    def test_schedule_list_and_verify(self):
        who = Applicant(self.stack)
        who.issue(self.client)
        self.assertEqual(who.retrieve(self.client)["state"], "done")
        who.revoke(self.client, reason="cessationOfOperation", by={**OPERATOR, "operator": "窓口 〇〇", "evidence": {"form": "F-12"}})
        self.sealed()
        rows = self.stack.certq_json("audit", "list", "--subject", who.certificate)
        self.assertEqual([r["event"] for r in rows],
                         ["certificate.revoked", "certificate.issued", "application.accepted"])
        revoked = rows[0]
        self.assertEqual((revoked["role"], revoked["actor"], revoked["client"]), ("operator", "窓口 〇〇", "local"))
        self.assertEqual(revoked["detail"]["by"], {"name": "受付 〇〇", "evidence": {"form": "F-12"}})
        text = self.certq("audit", "list", "--subject", who.certificate)
        self.assertIn("certificate.revoked  operator 窓口 〇〇", text)
        self.assertIn(revoked["job"], text)
        self.assertEqual(self.stack.certq_json("audit", "list", "--actor", "窓口 〇〇", "--event", "certificate.revoked",
                                               "--since", "1h", "--limit", "1"), [revoked])
        self.assertEqual(self.stack.certq_json("audit", "list", "--since", "2999-01-01"), [])
        self.assertIn("the audit verifies", self.certq("audit", "verify"))
        report = self.stack.certq_json("audit", "verify")[-1]
        self.assertEqual((report["verified"], report["faults"], report["waiting"]), (True, 0, 0))
        self.assertEqual(report["lines"], self.stack.count("audit"))

    def test_seals_can_be_checked_by_others(self):
        """The file's last line against the public key, with openssl and Python alone (docs/security.md)."""
        Applicant(self.stack).issue(self.client)
        self.sealed()
        seal = json.loads((self.stack.folder / "audit.seals").read_text().splitlines()[-1])
        row = self.stack.sql(f"SELECT at_ms, HEX(members) FROM audit_seal WHERE number = {seal['seal']}")[0]
        members = hashlib.sha256(bytes.fromhex(row[1])).hexdigest()
        self.assertEqual(members, seal["members"])
        content = (b"certq audit seal 1\0" + struct.pack(">QQQI", seal["seal"], seal["after"], int(row[0]), seal["lines"])
                   + bytes.fromhex(seal["previous"]) + bytes.fromhex(members))
        self.assertEqual(hashlib.sha256(content).hexdigest(), seal["hash"])
        signature = self.stack.folder / "signature"
        signature.write_bytes(base64.b64decode(seal["signature"]))
        done = openssl("dgst", "-sha256", "-verify", self.stack.folder / "keys" / "audit.pem", "-signature", signature,
                       stdin=bytes.fromhex(seal["hash"]))
        self.assertIn(b"Verified OK", done.stdout)

    def test_tampering_is_named(self):
        who = Applicant(self.stack)
        who.issue(self.client)
        self.sealed()
        line = self.stack.certq_json("audit", "list", "--subject", who.certificate)[-1]["audit"]
        where = f"WHERE id = UNHEX('{uuid_hex(line)}')"
        self.stack.sql("CREATE OR REPLACE TABLE kept AS SELECT * FROM audit " + where)
        self.stack.sql(f"UPDATE audit SET actor = 'nobody' {where}")
        self.assertIn(f"changed  {line}", self.certq("audit", "verify", code=1))
        found = self.stack.certq("--json", "audit", "verify", check=False)
        finding = json.loads(found.stdout.splitlines()[0])
        self.assertEqual((finding["finding"], finding["audit"], finding["fault"]), ("changed", line, True))
        self.stack.sql(f"DELETE FROM audit {where}")
        self.assertIn(f"removed  {line}", self.certq("audit", "verify", code=1))
        self.stack.sql("INSERT INTO audit SELECT * FROM kept")
        self.certq("audit", "verify")

    def test_a_new_key_goes_on(self):
        """The worker seals with the key it began with until it is started again; both verify."""
        self.stack.certq("key", "rotate", "audit")
        keys = self.stack.certq_json("key", "show", "audit")
        self.assertEqual([k["current"] for k in keys], [True, False])
        self.assertEqual(type(self).worker.stop(), 0)
        type(self).worker = self.stack.start_worker(KINDS + ",audit-seal", name="worker")
        Applicant(self.stack).issue(self.client)
        self.sealed()
        lines = [json.loads(line) for line in (self.stack.folder / "audit.seals").read_text().splitlines()]
        self.assertEqual(lines[-1]["key"], keys[0]["id"])
        self.assertTrue(self.stack.certq_json("audit", "verify")[-1]["verified"])
        old = self.stack.folder / "old.pem"
        blocks = (self.stack.folder / "keys" / "audit.pem").read_text().split("-----BEGIN")
        old.write_text("-----BEGIN" + blocks[2])
        self.assertIn("seal-changed", self.certq("audit", "verify", "--keys", old, code=1))

    def test_usage(self):
        for args, code in ((("audit", "list", "--since", "yesterday"), 64), (("audit", "list", "--subject", "x"), 64),
                           (("audit", "verify", "--keys", "/nonexistent"), 1),
                           (("audit", "verify", "--file", "/nonexistent"), 1), (("audit",), 64)):
            self.assertEqual(self.stack.certq(*args, check=False).returncode, code, args)
        self.certq("audit", "verify", "--no-file")

    def test_a_client_may_not_seal(self):
        kinds = [k for k in self.stack.certq_json("queue", "list") if k["kind"] == "audit-seal"]
        self.assertEqual(len(kinds), 1)


class WithoutKey(unittest.TestCase):

    def test_only_who_has_the_key_seals(self):
        with Stack() as stack:
            path = stack.config_path()
            path.write_text(path.read_text().replace("key: keys/audit.key, ", ""))
            done = subprocess.run([BUILD / "workers" / "certq-worker", "--config", path, "--kinds", "audit-seal"],
                                  capture_output=True, text=True)
            self.assertEqual(done.returncode, 78)
            self.assertRegex(done.stderr, "audit.key: wanted by the kind audit-seal")
            path.write_text(path.read_text().replace("audit: {", "audit: {key: keys/missing.key, "))
            done = subprocess.run([BUILD / "workers" / "certq-worker", "--config", path, "--kinds", "audit-seal"],
                                  capture_output=True, text=True)
            self.assertEqual(done.returncode, 78)
            self.assertRegex(done.stderr, "missing.key")


if __name__ == "__main__":
    unittest.main()
