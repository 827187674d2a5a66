"""A backup of a running installation is taken, more is done, the database is lost, and the backup restored (R8):
without binary logs by `certq db restored`, and with them as if nothing had been lost."""
import pathlib
import re
import shutil
import subprocess
import unittest

from harness import PATIENCE, Stack, make_key_and_csr, until
from people import CODE, KINDS, OPERATOR, Applicant, body_of, mails_to, openssl, uuid_hex


class Loss(unittest.TestCase):

    def start(self, stack):
        stack.start_catcher()
        stack.start_broker()
        stack.start_worker(KINDS + ",audit-seal", name="worker")
        stack.start_worker("mail", name="mail")

    def end(self, stack):
        for process in stack.processes:
            if process.alive():
                self.assertEqual(process.stop(), 0, process.name)

    def admin(self, stack, program, *args, stdin=None):
        """A MariaDB client as the administrator."""
        password = (stack.database / "passwords" / "certq_admin").read_text().strip()
        done = subprocess.run([program, "--no-defaults", f"--socket={stack.socket}", "--user=certq_admin",
                               f"--password={password}", *args], stdin=stdin, capture_output=True, timeout=PATIENCE)
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout

    def backup(self, stack, *options):
        path = stack.folder / "backup.sql"
        path.write_bytes(self.admin(stack, "mariadb-dump", "--single-transaction", "--hex-blob", *options,
                                    "--databases", "certq"))
        return path

    def lose(self, stack, backup):
        """The server's data are gone; a new one gets the backup, and the rights."""
        stack.mariadb("stop")
        shutil.rmtree(stack.database / "data")
        for name in ("data.made", "users.made"):
            (stack.database / name).unlink()
        stack.mariadb("start")
        with backup.open("rb") as file:
            self.admin(stack, "mariadb", stdin=file)
        stack.certq("db", "migrate")

    def row(self, stack, certificate):
        found = stack.sql("SELECT state, LOWER(HEX(serial)), code_generation FROM certificate WHERE id = "
                          f"UNHEX('{uuid_hex(certificate)}')")
        return found[0] if found else None

    def retrieved(self, stack, client, who):
        answer = who.retrieve(client)
        self.assertEqual(answer["state"], "done", answer)
        return answer["result"]["serial"].lower()

    def crl(self, stack):
        """(number, serials) of the published file."""
        text = openssl("crl", "-inform", "DER", "-in", stack.folder / "crl" / "person-ca.crl", "-noout", "-text",
                       "-crlnumber").stdout.decode()
        number = re.search(r"crlNumber=(?:0x)?([0-9A-F]+)", text).group(1)
        return int(number, 16), {s.lower() for s in re.findall(r"Serial Number: ([0-9A-F]+)", text)}

    def published(self, stack, *serials):
        path = stack.folder / "crl" / "person-ca.crl"
        until("a CRL with them", lambda: path.exists() and set(serials) <= self.crl(stack)[1])

    def live_before(self, stack, client):
        """Two with a certificate, one with a code; all sealed."""
        people = [Applicant(stack) for _ in range(3)]
        for who in people:
            who.issue(client)
            who.code()
        for who in people[:2]:
            who.serial = self.retrieved(stack, client, who)
        stack.certq("audit", "seal")
        return people

    def live_after(self, stack, client, people):
        """One is revoked, the code is used, somebody new comes, retrieves and is revoked."""
        first, _, waiting = people
        self.assertEqual(first.revoke(client)["state"], "done")
        waiting.serial = self.retrieved(stack, client, waiting)
        new = Applicant(stack)
        new.issue(client)
        new.serial = self.retrieved(stack, client, new)
        self.assertEqual(new.revoke(client)["state"], "done")
        self.published(stack, first.serial, new.serial)
        stack.certq("audit", "seal")
        return new


class WithoutBinaryLogs(Loss):

    def test_nothing_is_unrevoked_and_no_code_is_given_twice(self):
        with Stack() as stack:
            self.start(stack)
            with stack.client() as client:
                people = self.live_before(stack, client)
                path = self.backup(stack)
                done = stack.certq("db", "restored", "--yes", check=False)
                self.assertEqual(done.returncode, 1, done.stdout + done.stderr)
                self.assertIn("a broker is alive", done.stderr)
                new = self.live_after(stack, client, people)
            self.end(stack)
            before = self.crl(stack)
            seals = (stack.folder / "audit.seals").read_text()
            self.lose(stack, path)
            self.assertEqual(self.row(stack, people[0].certificate)[0], "valid")  # what a backup alone would do
            trial = stack.certq("db", "restored").stdout
            self.assertIn("Nothing was changed", trial)
            self.assertLessEqual(max(map(len, trial.splitlines())), 80)
            self.assertEqual(self.row(stack, people[0].certificate)[0], "valid")
            self.restored(stack, people, before)
            self.start(stack)
            with stack.client() as client:
                self.goes_on(stack, client, people, new, before)
            self.assertTrue((stack.folder / "audit.seals").read_text().startswith(seals))
            stack.drain()

    def restored(self, stack, people, before):
        first, _, waiting = people
        old = self.row(stack, waiting.certificate)
        self.assertEqual(old[1], waiting.serial)  # as the backup has it: that certificate is out there
        crl = stack.folder / "crl" / "person-ca.crl"
        crl.rename(crl.with_suffix(".away"))
        done = stack.certq("db", "restored", "--yes", check=False)
        self.assertEqual(done.returncode, 1, done.stdout)
        self.assertIn("the newest CRL of person-ca is wanted", done.stderr)
        crl.with_suffix(".away").rename(crl)
        seals = stack.folder / "audit.seals"
        seals.rename(seals.with_suffix(".away"))
        done = stack.certq("db", "restored", "--yes", check=False)
        self.assertEqual(done.returncode, 1, done.stdout)
        self.assertIn("the newest seals of the audit are wanted", done.stderr)
        seals.with_suffix(".away").rename(seals)
        report = stack.certq_json("db", "restored", "--yes", "--operator", "night-shift")[0]
        person = next(i for i in report["issuers"] if i["issuer"] == "person-ca")
        self.assertEqual((person["number"], person["added"], report["codes"]), (before[0], 2, 1))
        self.assertGreater(report["seals"]["file"], report["seals"]["database"])
        self.assertEqual(self.row(stack, first.certificate)[:2], ["revoked", first.serial])
        now = self.row(stack, waiting.certificate)
        self.assertEqual(now[0], "awaiting-retrieval")
        self.assertNotEqual(now[1], old[1])
        self.assertEqual(int(now[2]), int(old[2]) + 1)
        again = stack.certq_json("db", "restored", "--yes")[0]  # after a crash, say
        self.assertEqual([i.get("added", 0) for i in again["issuers"]], [0] * len(again["issuers"]))

    def goes_on(self, stack, client, people, new, before):
        first, second, waiting = people
        self.assertEqual(stack.certq_json("submit", "crl", "--set", "issuer=person-ca", "--wait=30")[0]["state"], "done")
        number, serials = self.crl(stack)
        self.assertGreater(number, before[0])
        self.assertEqual(serials, {first.serial, new.serial})
        self.assertEqual(second.revoke(client)["state"], "done")  # revocations are not held
        held = {q["kind"] for q in stack.certq_json("queue", "list") if q["paused"]}
        self.assertLessEqual({"issue", "retrieve", "reissue", "mail"}, held)
        self.assertFalse(held & {"revoke", "crl", "audit-seal"})
        dead = waiting.code()
        waits = client.submit("retrieve", waiting.retrieve_args(code=dead))
        client.accepted(waits)
        self.assertEqual(stack.certq_json("job", "show", waits)[0]["state"], "ready")
        for kind in sorted(held):
            stack.certq("queue", "resume", kind)
        answer = client.done(waits)
        self.assertEqual((answer["state"], answer["error"]["code"]), ("refused", "credentials"))
        self.reissued(stack, client, waiting, dead)
        stack.certq("audit", "seal")
        found = stack.certq_json("audit", "verify")
        self.assertEqual([f["finding"] for f in found[:-1]], ["restore"])
        self.assertTrue(found[-1]["verified"])
        self.assertEqual(stack.certq_json("audit", "list", "--event", "database.restored")[-1]["actor"], "night-shift")

    def reissued(self, stack, client, who, dead):
        """Whose code died gets another, and a certificate with another serial."""
        answer = client.run("reissue", {"certificate": who.certificate, "reason": "cannot-retrieve", "by": OPERATOR})
        self.assertEqual(answer["state"], "done", answer)

        def fresh():
            codes = [CODE.search(body_of(m)) for m in mails_to(stack, who.email)]
            return [c.group() for c in codes if c and c.group() != dead]
        code = until("a new code", fresh)[-1]
        _, csr = make_key_and_csr(stack.folder, "again")
        got = client.run("retrieve", who.retrieve_args(code=code, csr=csr))
        self.assertEqual(got["state"], "done", got)
        self.assertNotEqual(got["result"]["serial"].lower(), who.serial)


class WithBinaryLogs(Loss):

    def test_nothing_is_lost(self):
        with Stack(binlog=True) as stack:
            self.start(stack)
            with stack.client() as client:
                people = self.live_before(stack, client)
                path = self.backup(stack, "--master-data=2")
                new = self.live_after(stack, client, people)
            self.end(stack)
            logs = self.rescue_logs(stack)
            self.lose(stack, path)
            self.replay(stack, path, logs)
            self.start(stack)
            with stack.client() as client:
                for who, state in zip(people + [new], ("revoked", "valid", "valid", "revoked")):
                    self.assertEqual(self.row(stack, who.certificate)[:2], [state, who.serial])
                Applicant(stack).issue(client)
            stack.certq("audit", "seal")
            found = stack.certq_json("audit", "verify")
            self.assertEqual(len(found), 1, found)
            self.assertTrue(found[0]["verified"])
            stack.drain()

    def rescue_logs(self, stack):
        """The binary logs, as they are kept on another disk."""
        stack.mariadb("stop")
        folder = stack.folder / "binlogs"
        folder.mkdir()
        for log in (stack.database / "data").glob("binlog.0*"):
            shutil.copy(log, folder)
        return folder

    def replay(self, stack, backup, logs):
        head = backup.read_text(errors="replace")[:4000]
        name, position = re.search(r"MASTER_LOG_FILE='([^']+)', MASTER_LOG_POS=(\d+)", head).groups()
        files = sorted(str(p) for p in pathlib.Path(logs).iterdir() if p.name >= name)
        events = subprocess.run(["mariadb-binlog", "--no-defaults", "--disable-log-bin", f"--start-position={position}",
                                 *files], capture_output=True, check=True).stdout
        path = stack.folder / "replay.sql"
        path.write_bytes(events)
        with path.open("rb") as file:
            self.admin(stack, "mariadb", stdin=file)


if __name__ == "__main__":
    unittest.main()
