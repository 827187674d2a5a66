"""Passwords and codes are nowhere: not in tables, dumps, the binary log, InnoDB's files, logs or var (X5,
I6), whichever way they came in; and processes that know them cannot be read."""
import base64
import json
import os
import pathlib
import shutil
import subprocess
import unittest

from harness import BUILD, new_id, until
from people import WELL_FORMED, Applicant, StackCase, hashed

PLAIN = "Xk7-plain-Qw5-swordfish"
SEALED = "Mz3-sealed-Rt9-albatross"
HASHED = "Vb8-hashed-Lp4-cormorant"
WRONG = "Hn6-wrong-Jd2-kittiwake"
JAPANESE = "秘密の合言葉その七"
SESSION = "Cf1-banking-Ys0-guillemot"


def shapes(secret):
    """The forms in which a secret may lie about: itself, without hyphens, escaped, base64 at each offset, hex."""
    found = set()
    for text in {secret, secret.replace("-", ""), secret.replace("-", "").lower(), secret.lower(),
                 secret.upper()}:
        raw = text.encode()
        found |= {raw, raw.hex().encode(), raw.hex().upper().encode()}
        if not text.isascii():
            found.add(text.encode("unicode_escape"))
        for shift in range(3):
            encoded = base64.b64encode(b"\0" * shift + raw)
            found.add(encoded[4 if shift else 0:].rstrip(b"=")[:-1])
            found.add(base64.urlsafe_b64encode(b"\0" * shift + raw)[4 if shift else 0:].rstrip(b"=")[:-1])
    return {s for s in found if len(s) >= 10}


def files_with(needles, folder, but=()):
    """Paths below folder in whose bytes one of the needles stands (grep reads them raw)."""
    patterns = [b"-e" + n for n in sorted(needles)]
    done = subprocess.run([b"grep", b"-rlaF", *[b"--exclude-dir=" + b.encode() for b in but], *patterns,
                           str(folder).encode()], capture_output=True,
                           env={**os.environ, "LC_ALL": "C"})
    assert done.returncode in (0, 1), done.stderr
    return sorted(done.stdout.decode().splitlines())


class Secrets(StackCase):
    OPTIONS = {"binlog": True, "log_level": "debug"}

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.outside = pathlib.Path(subprocess.run(["mktemp", "-d"], capture_output=True, text=True,
                                                  check=True).stdout.strip())
        cls.secrets = [PLAIN, SEALED, HASHED, WRONG, JAPANESE, SESSION]
        cls.codes = []

    @classmethod
    def tearDownClass(cls):
        shutil.rmtree(cls.outside)
        super().tearDownClass()

    def file(self, text):
        path = self.outside / new_id()
        path.write_text(text)
        return path

    def use(self, who, password_args):
        """Issue, fail, retrieve, look up: with everything that can go wrong on the way."""
        who.issue(self.client, **password_args)
        if who.product == "association":
            self.codes.append(who.code())
        self.refused(who.retrieve(self.client, password=WRONG))
        if who.product == "association":
            self.refused(who.retrieve(self.client, code=WELL_FORMED))
            self.refused(who.retrieve(self.client, code=self.codes[-1][:-1] + "é"))
            self.refused(who.retrieve(self.client, csr="no csr"))
        self.done(who.retrieve(self.client))
        if who.product == "association":
            self.client.run("lookup", {"email": who.email, "password": who.password,
                                       "code": self.codes[-1]})
            self.client.run("lookup", {"email": who.email, "password": WRONG, "code": self.codes[-1]})

    def people(self):
        plain, japanese, hashed_one = (Applicant(self.stack) for _ in range(3))
        banking = Applicant(self.stack, product="online-banking")
        plain.password, japanese.password, hashed_one.password = PLAIN, JAPANESE, HASHED
        banking.password = SESSION
        for who in (plain, japanese, banking):
            self.use(who, {})
        self.use(hashed_one, {"password": hashed(HASHED)})
        return plain

    def by_command_line(self):
        """Sealed by the client library."""
        who = Applicant(self.stack)
        who.password = SEALED
        password, code = self.file(SEALED), None
        args = who.issue_args()
        del args["password"]
        self.stack.certq("submit", "issue", "--args", self.json_file(args), "--secret",
                         f"password={password}",
                         "--wait=30")
        self.codes.append(who.code())
        code = self.file(self.codes[-1])
        args = {"email": who.email, "csr": who.csr}
        for secret in (self.file(WRONG), password):
            done = self.stack.certq("submit", "retrieve", "--args", self.json_file(args), "--secret",
                                    f"password={secret}", "--secret", f"code={code}", "--wait=30",
                                    check=False)
            for word in (SEALED, self.codes[-1], WRONG):
                self.assertNotIn(word, done.stdout + done.stderr)
        self.assertEqual(done.returncode, 0, done.stderr)

    def json_file(self, args):
        return self.file(json.dumps(args, ensure_ascii=False))

    def bad_requests(self, who):
        """Secrets in requests that are refused, at places where they do not belong, in broken bodies."""
        for kind, args in (("no-such-kind", {"password": PLAIN}),
                           ("retrieve", {"password": PLAIN, "code": PLAIN}),
                           ("issue", {"product": "no-such", "password": PLAIN,
                                      "subscriber": {"password": PLAIN}}),
                           ("noop", {"deep": [{"password": PLAIN}]}),
                           ("retrieve", {"password": PLAIN + "\0"}),
                           ("retrieve", {"password": {"sealed": base64.b64encode(PLAIN.encode()).decode()}}),
                           ("retrieve", {"password": {"sealed": PLAIN}}),
                           ("retrieve", {"code": {"scrypt": PLAIN}}),
                           ("retrieve", {"password": {"scrypt": PLAIN}}),
                           ("retrieve", {"password": [PLAIN]})):
            id = new_id()
            self.client.send(kind, {"id": id, "args": args})
            self.answer()
        body = json.dumps({"id": new_id(), "args": {"password": PLAIN}}).encode()
        for broken in (body[:-1], body[:-3], body + b"x", body.replace(b"args", b"argh"),
                       body.replace(b"{", b"[")):
            self.client.send("retrieve", broken)
            self.answer()

    def answer(self):
        """The final answer of the last request."""
        while True:
            message = self.client.receive()
            self.assertIsNotNone(message)
            if message[0] == b"\x03":
                return message[2]

    def test_secrets_are_nowhere(self):
        who = self.people()
        self.by_command_line()
        self.bad_requests(who)
        self.stack.certq("queue", "pause", "retrieve")  # one that waits, sealed, in the table
        waiting = self.client.submit("retrieve", who.retrieve_args())
        self.assertEqual(self.client.accepted(waiting)["state"], "accepted")
        until("other jobs have ended", lambda: self.stack.count("job", "kind <> 'retrieve'") == 0)
        self.assertGreaterEqual(len(self.codes), 4)
        self.dump("while it runs")
        self.look(who, "while it runs")
        self.stack.certq("queue", "resume", "retrieve")
        self.done(self.client.done(waiting))
        self.stack.drain()
        self.stack.sql("FLUSH TABLES; FLUSH LOGS")
        self.dump("at the end")
        self.stack.mariadb("stop")
        self.look(who, "at the end")

    def dump(self, when):
        user = ["--no-defaults", f"--socket={self.stack.socket}", "--user=certq_admin", "--password="
                + (self.stack.database / "passwords" / "certq_admin").read_text().strip()]
        for name, options in (("dump", []), ("hexdump", ["--hex-blob"])):
            done = subprocess.run(["mariadb-dump", *user, *options, "certq"], capture_output=True,
                                  check=True)
            (self.stack.folder / f"{name} {when}.sql").write_bytes(done.stdout)
        logs = sorted((self.stack.database / "data").glob("binlog.0*"))
        self.assertTrue(logs)
        done = subprocess.run(["mariadb-binlog", "--no-defaults", "-vv", "--base64-output=decode-rows",
                               *logs],
                              capture_output=True, check=True)
        (self.stack.folder / f"binlog {when}.txt").write_bytes(done.stdout)

    def look(self, who, when):
        """Nothing secret in any file of the installation; and the look would have found it."""
        known = {os.path.relpath(p, self.stack.folder) for p in files_with({who.email.encode()},
                                                                           self.stack.folder)}
        pages = ["mariadb/data/certq/subscriber.ibd"] if when == "at the end" else []  # written out by then
        for name in (f"dump {when}.sql", f"binlog {when}.txt", "mariadb/data/ib_logfile0",
                     "mariadb/data/binlog.000001", *pages):
            self.assertIn(name, known)
        log = [p for p in self.stack.folder.glob("*.log") if "ev=" in p.read_text(errors="replace")]
        self.assertGreaterEqual(len(log), 3)
        for secret in self.secrets + self.codes:
            with self.subTest(secret=secret, when=when):
                found = files_with(shapes(secret), self.stack.folder, but=["mail"])
                self.assertEqual([os.path.relpath(p, self.stack.folder) for p in found], [])
        mails = files_with(set().union(*map(shapes, self.codes)), self.stack.folder / "mail")
        self.assertTrue(mails, "not even the mails have the codes")

    # --- processes ---

    @unittest.skipUnless(os.getuid() == 0, "needs to be another user than root's")
    def test_processes_cannot_be_read(self):
        """A process that is not dumpable has its /proc files owned by root, whoever runs it."""
        folder = self.stack.folder / "nobody"
        os.chmod(self.stack.folder, 0o755)
        shutil.copytree(self.stack.folder / "keys", folder / "keys")
        shutil.copytree(self.stack.folder / "ca", folder / "ca")
        shutil.copytree(self.stack.database / "passwords", folder / "passwords")
        text = self.stack.config_path().read_text().replace(f"{self.stack.database}/passwords",
                                                            "passwords")
        for port, kind in zip(self.stack.ports[0], ("clients", "workers", "http")):
            text = text.replace(f"  {kind}: tcp://127.0.0.1:{port}", f"  {kind}: tcp://127.0.0.1:*")
        text = text.replace(f"http: 127.0.0.1:{self.stack.ports[0][2]}", "http: none")
        (folder / "certq.yaml").write_text(text.replace("name: broker-1", "name: broker-nobody"))
        for path in [folder, *folder.rglob("*")]:
            os.chown(path, 65534, 65534)
        os.chmod(self.stack.database, 0o711)
        nobody = {"user": 65534, "group": 65534, "env": {"ASAN_OPTIONS": "detect_leaks=0"}}
        started = [self.stack.start("nobody-worker", [BUILD / "workers" / "certq-worker", "--config",
                                    folder / "certq.yaml", "--kinds", "retrieve", "--name", "nobody"],
                                    **nobody),
                   self.stack.start("nobody-broker", [BUILD / "broker" / "certq-broker", "--config",
                                    folder / "certq.yaml"], **nobody)]
        control = self.stack.start("nobody-sleep", ["sleep", "60"], user=65534, group=65534)
        started[0].wait_line(r"ev=broker\.joined")
        started[1].wait_line(r"ev=broker\.ready")
        self.assertEqual(os.stat(f"/proc/{control.pid}/environ").st_uid, 65534)
        for process in started:
            with self.subTest(process.name):
                self.assertEqual(os.stat(f"/proc/{process.pid}/environ").st_uid, 0)
        for process in (*started, control):
            process.kill()


if __name__ == "__main__":
    unittest.main()
