"""The command line as operators and scripts use it: each command, its table (80 columns) and its JSON (an
object a line), exit codes, and configurations that are wrong."""
import base64
import json
import os
import re
import signal
import subprocess
import tempfile
import unicodedata
import unittest

from harness import BUILD, SOURCE, Stack, new_id, until
from people import CODE, Applicant, StackCase, hashed, openssl, products_with, uuid_hex

UUID = r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"


def columns(line):
    return sum(2 if unicodedata.east_asian_width(c) in "WF" else 0 if unicodedata.combining(c) else 1 for c in line)


class CommandLine(StackCase):

    @classmethod
    def start(cls, stack):
        super().start(stack)
        with stack.client() as client:
            cls.who = Applicant(stack)
            cls.who.issue(client)
            cls.got = cls.who.retrieve(client)["result"]
            cls.long = Applicant(stack, name={"ja": "〇" * 60, "latin": "Very " * 12 + "Long"})
            cls.long.issue(client)
            cls.long.code()
        stack.certq("submit", "crl", "--set", "issuer=person-ca", "--wait=30")

    def exits(self, code, *args, says=None, **options):
        done = self.stack.certq(*args, check=False, **options)
        self.assertEqual(done.returncode, code, f"certq {args}\n{done.stdout}{done.stderr}")
        for word in [says] if isinstance(says, str) else says or []:
            self.assertIn(word, done.stdout + done.stderr)
        return done

    def both(self, *args):
        """Runs a command for people and for scripts; checks both forms; returns (text, objects)."""
        text = self.stack.certq(*args).stdout
        for line in text.splitlines():
            self.assertLessEqual(columns(line), 80, line)
            self.assertNotRegex(line, r"[\x00-\x08\x0b-\x1f\x7f]")
        done = self.stack.certq("--json", *args)
        objects = [json.loads(line) for line in done.stdout.splitlines()]
        self.assertTrue(all(isinstance(o, dict) for o in objects), done.stdout)
        self.times(objects)
        self.assertIn(done.stderr.count("\n"), (0, 1))  # at most a word that there is more
        return text, objects

    def times(self, value):
        """Times in JSON are UTC."""
        if isinstance(value, dict):
            value = list(value.values())
        if isinstance(value, list):
            for v in value:
                self.times(v)
        elif isinstance(value, str) and re.match(r"\d{4}-\d\d-\d\dT", value):
            self.assertRegex(value, r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$")

    # --- looking ---

    def test_every_list_in_both_forms(self):
        rows = ((("db", "status"), 1), (("ca", "show"), 1), (("job", "list"), 3),
                (("job", "list", "--kind", "issue"), 2),
                (("job", "list", "--state", "done", "--since", "1h"), 1), (("queue", "list"), 5),
                (("worker", "list"), 2), (("top", "--once"), 1),
                (("broker", "list"), 1), (("cert", "list"), 2),
                (("cert", "list", "--product", "association"), 2),
                (("cert", "list", "--state", "valid"), 1), (("mail", "list"), 2),
                (("product", "list"), 2),
                (("clock", "show"), 1), (("key", "show", "codes"), 1),
                (("key", "show", "fingerprint"), 1),
                (("mail", "list", "--to", self.who.email), 1),
                (("subscriber", "show", self.who.email), 1),
                (("cert", "show", self.who.certificate), 1), (("cert", "show", self.got["serial"]), 1),
                (("cert", "show", self.long.certificate), 1), (("product", "check"), 2))
        for args, least in rows:
            with self.subTest(args=args):
                text, objects = self.both(*args)
                self.assertTrue(text.strip())
                self.assertGreaterEqual(len(objects), least)
        for args in (("cert", "list", "--state", "revoked"), ("cert", "list", "--expiring", "30"),
                     ("mail", "list", "--state", "rejected"), ("job", "list", "--state", "dead")):
            with self.subTest(args=args):
                self.assertEqual(self.both(*args)[1], [])

    def test_what_the_lists_say(self):
        workers = self.both("worker", "list")[1]
        self.assertEqual({w["name"] for w in workers}, {"worker", "mail"})
        queue = {q["kind"]: q for q in self.both("queue", "list")[1]}
        self.assertEqual((queue["issue"]["paused"], queue["issue"]["workers"],
                          queue["mail"]["workers"]), (False, 1, 1))
        brokers = [b for b in self.both("broker", "list")[1] if b.get("self")]
        self.assertEqual((brokers[0]["name"], len(brokers[0]["slots"])), ("broker-1", 16))
        text, shown = self.both("cert", "show", self.got["serial"])
        self.assertIn("JST", text)  # people's times are the product's
        self.assertIn(self.got["serial"], json.dumps(shown))
        products = {p.get("product") for p in self.both("product", "list")[1]}
        self.assertEqual(products, {"association", "class2", "online-banking", "resident", "web-ev", "web-sr"})

    def test_mail_show_and_job_show(self):
        mail = self.both("mail", "list", "--to", self.long.email)[1][0]
        text, shown = self.both("mail", "show", mail["mail"])
        self.assertIn(self.long.email, text)
        self.assertIsNone(CODE.search(text + json.dumps(shown)))
        text, shown = self.both("job", "show", mail["mail"])
        self.assertIn("mail", text)
        issue = self.both("job", "list", "--kind", "issue", "--state", "done")[1][0]
        text, shown = self.both("job", "show", issue["id"])
        self.assertIn(issue["id"], text)
        self.assertIn('"state": "done"', json.dumps(shown))

    def test_export_gives_what_was_retrieved(self):
        self.assertEqual(self.stack.certq("cert", "export", self.who.certificate).stdout,
                         self.got["pem"])
        path = self.stack.folder / "exported.pem"
        self.stack.certq("cert", "export", self.got["serial"], "--chain", "--out", path)
        self.assertEqual(path.read_text(), self.got["pem"] + self.got["chain"])
        self.exits(1, "cert", "export", self.long.certificate)  # never retrieved
        self.exits(1, "cert", "show", new_id(), says="no ")

    def test_key_show_intake_is_what_openssl_seals_to(self):
        pem = self.stack.certq("key", "show", "intake").stdout
        path = self.stack.folder / "shown.pem"
        path.write_text(pem)
        id, who = new_id(), Applicant(self.stack)
        body = json.dumps({"id": id, "path": "password", "value": who.password})
        sealed = openssl("cms", "-encrypt", "-binary", "-aes-256-gcm", "-outform", "DER", path,
                         stdin=body.encode()).stdout
        args = who.issue_args(password={"sealed": base64.b64encode(sealed).decode()})
        self.done(self.client.run("issue", args, id=id))
        self.done(who.retrieve(self.client))
        error = self.refused(self.client.run("issue", args, id=new_id()),
                             "bad-request")  # another job's
        self.assertIn("password", error["fields"])

    # --- submitting ---

    def args_file(self, args):
        path = self.stack.folder / f"{new_id()}.json"
        path.write_text(json.dumps(args, ensure_ascii=False))
        return path

    def test_submit(self):
        who = Applicant(self.stack)
        args = who.issue_args(password=hashed(who.password))
        id = new_id()
        first = self.stack.certq_json("submit", "issue", "--args", self.args_file(args), "--id", id)
        self.assertEqual(first[-1]["id"], id)
        waited = self.stack.certq_json("job", "wait", id)[-1]
        self.assertEqual((waited["id"], waited["state"]), (id, "done"))
        again = self.stack.certq_json("submit", "issue", "--args", "-", "--id", id, "--wait=30",
                                      stdin=json.dumps(args))[-1]
        self.assertEqual((again["id"], again["state"]), (id, "done"))
        self.exits(1, "submit", "issue", "--set", "product=association", "--id", id, "--wait=30",
                   says=["conflict", id])
        done = self.exits(1, "submit", "issue", "--set", "product=no-such", "--wait=30", says="product")
        self.assertRegex(done.stdout + done.stderr, UUID)
        text = self.stack.certq("submit", "noop", "--set", "a.b=c", "--set", "n:=7", "--wait=30",
                                "--priority", "9").stdout
        self.assertIn("done", text)
        self.assertEqual(self.stack.count("application", f"job = UNHEX('{uuid_hex(id)}')"), 1)

    def test_a_secret_comes_from_a_file_only(self):
        self.exits(64, "submit", "issue", "--set", "product=association", "--set", "password=hush")
        self.exits(64, "submit", "issue", "--secret", "product=/dev/null")

    def test_waiting_gives_up_with_75(self):
        done = self.exits(75, "submit", "noop", "--at", "2027-06-01T00:00:00Z", "--wait=1")
        id = re.search(UUID, done.stdout + done.stderr).group()
        self.exits(75, "job", "wait", "--timeout", "1", id)
        self.exits(1, "job", "list", "--state", "no-such", says="state")
        self.assertIn("scheduled", json.dumps(self.both("job", "show", id)[1]))
        self.assertEqual(self.both("job", "list", "--state", "scheduled")[1][0]["id"], id)
        self.stack.certq("job", "cancel", id)
        self.exits(1, "job", "wait", id, says="cancelled")
        self.assertIn("cancelled", json.dumps(self.both("job", "show", id)[1]))
        self.exits(1, "job", "wait", new_id())
        self.exits(1, "job", "retry", id)

    def test_a_batch_goes_on_after_a_break(self):
        lines, people = [], [Applicant(self.stack) for _ in range(300)]
        for who in people:
            lines.append(json.dumps({"args": who.issue_args(password=hashed(who.password))},
                                    ensure_ascii=False))
        lines[17] = json.dumps({"id": new_id(), "args": {"product": "no-such"}})
        path = self.stack.folder / "batch.ndjson"
        path.write_text("\n".join(lines) + "\n")
        before = self.stack.count("application")
        self.stack.certq("queue", "pause", "issue")
        argv = [BUILD / "client" / "certq", "--config", self.stack.config_path(), "submit", "issue",
                "--batch", path]
        with subprocess.Popen([*map(str, argv)], stdout=subprocess.DEVNULL,
                              stderr=subprocess.DEVNULL) as run:
            until("some are in", lambda: self.stack.count("job",
                                                          "kind = 'issue'") > 0 or run.poll() is not None)
            run.send_signal(signal.SIGKILL)
        self.stack.certq("queue", "resume", "issue")
        first = self.exits(1, "submit", "issue", "--batch", path, "--wait",
                           says=["batch.ndjson:18:", "no-such"])
        again = self.stack.certq("--json", "submit", "issue", "--batch", path, "--wait", check=False)
        until("all are done", lambda: self.stack.count("job", "kind = 'issue'") == 0)
        self.assertEqual(self.stack.count("application") - before, 299)
        for line in again.stdout.splitlines():
            json.loads(line)
        for line in first.stdout.splitlines():
            self.assertLessEqual(columns(line), 80, line)
        self.exits(1, "submit", "noop", "--batch", path, says="batch.ndjson.seed")  # it was something else
        bad = self.stack.folder / "bad.ndjson"
        bad.write_text("{\"args\": {}}\nno json\n")
        self.exits(1, "submit", "noop", "--batch", bad, says="bad.ndjson:2: ")

    # --- operating ---

    def test_pause_and_resume(self):
        self.stack.certq("queue", "pause", "noop")
        queue = {q["kind"]: q for q in self.both("queue", "list")[1]}
        self.assertTrue(queue["noop"]["paused"])
        id = self.client.submit("noop", {})
        self.assertEqual(self.client.accepted(id)["state"], "accepted")
        self.exits(75, "job", "wait", "--timeout", "1", id)
        self.stack.certq("queue", "resume", "noop")
        self.assertEqual(self.client.done(id)["state"], "done")
        self.exits(1, "queue", "pause", "no-such-kind", says="no-such-kind")

    def test_a_drained_worker_ends_well(self):
        spare = self.stack.start_worker("noop", name="spare")
        self.stack.certq("worker", "drain", "spare")
        until("it ends", lambda: not spare.alive())
        self.assertEqual(spare.returncode, 0)
        self.exits(1, "worker", "drain", "spare", says="spare")

    def test_the_clock(self):
        self.addCleanup(self.stack.certq, "clock", "reset")
        self.stack.certq("clock", "set", "2027-05-05T09:00:00+09:00")
        text, objects = self.both("clock", "show")
        self.assertTrue(objects[0]["now"].startswith("2027-05-05T00:00"), objects)
        self.assertIn("2027-05-05 09:00", text)
        self.stack.certq("clock", "reset")
        self.assertEqual(self.both("clock", "show")[1][0]["shift_ms"], 0)
        self.exits(64, "clock", "set", "yesterday")

    def test_migrating_twice_changes_nothing(self):
        before = self.both("db", "status")[1]
        self.stack.certq("db", "migrate")
        self.assertEqual(self.both("db", "status")[1], before)
        self.assertEqual({row["state"] for row in before}, {"done"})

    # --- misuse ---

    def test_exit_codes(self):
        for args in ((), ("no-such",), ("job",), ("job", "no-such"), ("job", "show"),
                     ("job", "show", "x", "y"),
                     ("job", "list", "--no-such"), ("job", "show", "no uuid"),
                     ("submit",), ("submit", "noop", "--priority", "10"),
                     ("submit", "noop", "--id", "x"),
                     ("submit", "noop", "--at", "x"), ("submit", "noop", "--set", "novalue"),
                     ("cert", "list", "--limit", "0"),
                     ("key", "show", "no-such"), ("submit", "noop", "--wait=x")):
            with self.subTest(args=args):
                done = self.exits(64, *args)
                self.assertTrue(done.stderr.strip())
                self.assertEqual(done.stdout, "")
        self.assertEqual(self.exits(0, "--help").stderr, "")
        for group in ("db", "key", "ca", "submit", "job", "queue", "worker", "broker", "cert", "mail",
                      "product", "clock"):
            for line in self.exits(0, group, "--help").stdout.splitlines():
                self.assertLessEqual(columns(line), 80)
        self.exits(1, "job", "show", new_id())
        self.exits(78, "--config", "/no/such/file.yaml", "job", "list", says="/no/such/file.yaml")


class Configurations(unittest.TestCase):
    """Programs that must not start. No server runs here."""

    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory(prefix="certq-config-")
        cls.stack = Stack(folder=cls.folder.name)
        cls.stack.write_config()
        (cls.stack.folder / "keys").mkdir()
        for kind, name in (("intake", "intake.key"), ("codes", "codes.keys"),
                           ("fingerprint", "fingerprint.keys")):
            cls.stack.certq("key", "generate", kind, cls.stack.folder / "keys" / name)
        cls.stack.certq("ca", "init", "--test")

    @classmethod
    def tearDownClass(cls):
        cls.folder.cleanup()

    def programs(self, config):
        return ([BUILD / "client" / "certq", "--config", config, "job", "list"],
                [BUILD / "broker" / "certq-broker", "--config", config],
                [BUILD / "workers" / "certq-worker", "--config", config, "--kinds", "noop"])

    def run_program(self, argv):
        return subprocess.run([*map(str, argv)], capture_output=True, text=True, timeout=60)

    def test_a_broken_configuration_is_named_by_file_line_and_key(self):
        good = self.stack.config_path().read_text()
        rows = (("log: {level: info}", "log: {level: loud}", "log.level"),
                ("retry: {first: 200ms", "retry: {first: soon", "retry.first"),
                ("scrypt: {ln: 12", "scrypt: {ln: many", "scrypt.ln"),
                ("  name: certq\n", "  name: certq\n  nmae: certq\n", "nmae"),
                ("testing: {settable_clock: true}", "testing: {settable_clock: perhaps}",
                 "testing.settable_clock"),
                ("  from: certq@example.jp", "  from: 7 8", "mail.from"),
                ("broker:\n", "broker: [\n", None), ("intake:", "intake:\tx", None),
                ("code_keyring: keys/codes.keys", "code_keyring: keys/codes.keys\ncode_keyring: x",
                 "code_keyring"))
        path = self.stack.folder / "broken.yaml"
        for old, new, key in rows:
            self.assertIn(old, good)
            path.write_text(good.replace(old, new, 1))
            line = 1 + next(i for i, (a, b) in enumerate(zip(good.splitlines() + [""],
                                                             path.read_text().splitlines()))
                            if a != b)
            for argv in self.programs(path):
                with self.subTest(new=new, program=argv[0].name):
                    done = self.run_program(argv)
                    self.assertEqual(done.returncode, 78, done.stderr)
                    self.assertEqual(done.stdout, "")
                    found = re.search(rf"{re.escape(str(path))}:(\d+): (.*)", done.stderr)
                    self.assertTrue(found, done.stderr)
                    if key:
                        self.assertEqual(int(found[1]), line, done.stderr)
                        self.assertIn(key, found[2])

    def test_a_product_that_contradicts_itself_is_refused(self):
        rows = (("  approval: none", "  approval: perhaps", "approval"),
                ("  retrieve: [email, password, code]", "  retrieve: [user_id, password, code]", None),
                ("zone: Asia/Tokyo ", "zone: Asia/Nowhere ", "zone"),
                ("  issuer: person-ca", "  issuer: no-such-ca", "issuer"),
                ("code:\n  days: none                    # a code stays good until it is used or replaced (ours)\n"
                 "  resend: operator              # A11\n", "code: none\n", None),
                ("  term: 760 days", "  term: 760 fortnights", "term"),
                ("validity:", "validty:", "validty"),
                ("languages: [ja, en]", "languages: [xx]", "languages"))
        for old, new, key in rows:
            with self.subTest(new=new), tempfile.TemporaryDirectory(prefix="certq-products-") as folder:
                products = products_with(folder, "broken", lines={old: new})
                broken = products / "broken.yaml"
                path = self.stack.folder / "with-broken.yaml"
                path.write_text(self.stack.config_path().read_text().replace(
                    f"products: {SOURCE / 'config' / 'products'}", f"products: {products}"))
                check = [BUILD / "client" / "certq", "--config", path, "product", "check"]
                start = [BUILD / "workers" / "certq-worker", "--config", path, "--kinds", "issue"]
                for argv in (check, start):
                    done = self.run_program(argv)
                    self.assertEqual(done.returncode, 78, f"{argv[0].name}: {done.stdout}{done.stderr}")
                    self.assertRegex(done.stderr, rf"{re.escape(str(broken))}:\d+: \S+")
                    if key:
                        self.assertIn(key, done.stderr)

    def test_the_database_or_the_broker_away_is_69(self):
        config = self.stack.config_path()
        passwords = self.stack.database / "passwords"
        done = self.run_program([BUILD / "client" / "certq", "--config", config, "db", "status"])
        self.assertEqual(done.returncode, 78, done.stderr)
        self.assertIn(f"{passwords}/certq_admin", done.stderr)
        passwords.mkdir(parents=True)
        for user in ("admin", "reader", "broker", "worker"):
            (passwords / f"certq_{user}").touch(mode=0o600)
            (passwords / f"certq_{user}").write_text("word")
        for args in (("db", "status"), ("db", "migrate")):
            done = self.run_program([BUILD / "client" / "certq", "--config", config, *args])
            self.assertEqual(done.returncode, 69, done.stderr)
        done = self.run_program([BUILD / "client" / "certq", "--config", config, "job", "list"])
        self.assertEqual(done.returncode, 69, done.stderr)

    def test_keys_that_others_may_read_are_refused(self):
        key = self.stack.folder / "keys" / "codes.keys"
        os.chmod(key, 0o644)
        try:
            done = self.run_program([BUILD / "workers" / "certq-worker", "--config",
                                     self.stack.config_path(),
                                     "--kinds", "issue"])
        finally:
            os.chmod(key, 0o600)
        self.assertEqual(done.returncode, 78, done.stderr)
        self.assertIn("codes.keys", done.stderr)

    def test_the_sample_configurations_are_printed(self):
        sample = (SOURCE / "config" / "certq.yaml").read_text()
        for program in ("client/certq", "broker/certq-broker", "workers/certq-worker"):
            self.assertEqual(self.run_program([BUILD / program, "--print-config"]).stdout, sample)


if __name__ == "__main__":
    unittest.main()
