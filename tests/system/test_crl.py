"""CRLs through the real programs: published soon after a revocation without anybody asking, by a schedule, by
hand; judged by OpenSSL, GnuTLS and NSS; nothing missing however often programs are killed."""
import datetime
import random
import re
import subprocess
import unittest
import urllib.request

from harness import Stack, until
from people import KINDS, OPERATOR, Applicant, StackCase, openssl

SERIAL = re.compile(r"Serial Number: ([0-9A-F]+)")
ISSUERS = ("person-ca", "server-ca", "resident-ca")
SCHEDULE = "schedules:\n" + "".join(
    f"  - {{name: crl {issuer}, kind: crl, args: {{issuer: {issuer}}}, daily: 05:00}}\n" for issuer in ISSUERS)


def crl_text(der):
    return openssl("crl", "-inform", "DER", "-noout", "-text", stdin=der).stdout.decode()


def listed(der):
    """Serials on a CRL, in lower case."""
    return {serial.lower() for serial in SERIAL.findall(crl_text(der))}


def number(der):
    return int(openssl("crl", "-inform", "DER", "-noout", "-crlnumber", stdin=der).stdout.decode()
               .strip().partition("=0x")[2], 16)


def crl_file(stack):
    return stack.folder / "crl" / "person-ca.crl"


def has(stack, serials):
    """The published CRL, once these serials are on it."""
    def there():
        path = crl_file(stack)
        der = path.read_bytes() if path.exists() else None
        return der if der and serials <= listed(der) else None
    return until(f"{len(serials)} serials on the CRL", there)


class Holder(Applicant):
    def __init__(self, stack, client):
        super().__init__(stack)
        self.issue(client)
        answer = self.retrieve(client)
        assert answer["state"] == "done", answer
        self.serial = answer["result"]["serial"].lower()

    def revoke_it(self, client, priority=None):
        more = {"priority": priority} if priority else {}
        answer = client.run("revoke", {"certificate": self.certificate, "reason": "cessationOfOperation",
                                       "by": OPERATOR}, **more)
        assert answer["state"] == "done", answer
        return answer


def run(*command, check=True):
    done = subprocess.run([str(c) for c in command], capture_output=True, text=True, stdin=subprocess.DEVNULL)
    if check and done.returncode:
        raise AssertionError(f"{command}: {done.stdout}{done.stderr}")
    return done


class Crl(StackCase):
    OPTIONS = {"crl_soon": "1s", "brokers": 2}

    @classmethod
    def start(cls, stack):
        super().start(stack)
        cls.second_broker = stack.start_broker(1)
        cls.second_worker = stack.start_worker(KINDS, name="second")

    def test_judged_by_three(self):
        holders = [Holder(self.stack, self.client) for _ in range(2)]
        for who in holders:
            who.revoke_it(self.client)
        serials = {who.serial for who in holders}
        der = has(self.stack, serials)
        path, folder = crl_file(self.stack), self.stack.folder
        ca, root = folder / "ca" / "person-ca.pem", folder / "ca" / "root.pem"
        openssl("crl", "-inform", "DER", "-in", path, "-CAfile", ca, "-noout")
        self.assertIn("Cessation Of Operation", crl_text(der))
        # GnuTLS
        pem = folder / "crl.pem"
        openssl("crl", "-inform", "DER", "-in", path, "-out", pem)
        run("certtool", "--verify-crl", "--load-ca-certificate", ca, "--infile", pem)
        shown = run("certtool", "--crl-info", "--inder", "--infile", path).stdout.lower()
        for serial in serials:
            self.assertIn(serial, shown)
        # NSS takes it only with a good signature of a CA it knows.
        nss = folder / "nss"
        nss.mkdir()
        run("certutil", "-N", "-d", nss, "--empty-password")
        run("certutil", "-A", "-d", nss, "-n", "root", "-t", "CT,C,C", "-a", "-i", root)
        run("certutil", "-A", "-d", nss, "-n", "ca", "-t", ",,", "-a", "-i", ca)
        bad = folder / "bad.crl"
        bad.write_bytes(der[:-1] + bytes([der[-1] ^ 1]))
        self.assertNotEqual(run("crlutil", "-I", "-d", nss, "-i", bad, check=False).returncode, 0)
        run("crlutil", "-I", "-d", nss, "-i", path)
        shown = run("crlutil", "-L", "-d", nss, "-n", "ca").stdout.lower().replace(":", "")
        for serial in serials:
            self.assertIn(serial, shown)

    def test_every_broker_serves_it(self):
        who = Holder(self.stack, self.client)
        who.revoke_it(self.client)
        der = has(self.stack, {who.serial})
        for _, _, http in self.stack.ports:
            def served():
                with urllib.request.urlopen(f"http://127.0.0.1:{http}/crl/person-ca.crl") as answer:
                    self.assertEqual(answer.headers["Content-Type"], "application/pkix-crl")
                    return number(answer.read()) >= number(der)
            until("the broker serves the newest", served)

    def test_a_burst_makes_one(self):
        holders = [Holder(self.stack, self.client) for _ in range(6)]
        self.stack.certq("queue", "pause", "crl")
        try:
            until("the queue is still", lambda: self.stack.count("job", "kind = 'crl'") <= 1)
            for who in holders:
                who.revoke_it(self.client)
            self.assertEqual(self.stack.count("job", "kind = 'crl'"), 1)
            shown = self.stack.certq_json("crl", "show", "person-ca")[0]
            self.assertFalse(shown["asked"]["urgent"])
        finally:
            self.stack.certq("queue", "resume", "crl")
        has(self.stack, {who.serial for who in holders})

    def test_brokers_mend_the_folder(self):
        who = Holder(self.stack, self.client)
        who.revoke_it(self.client)
        has(self.stack, {who.serial})
        crl_file(self.stack).unlink()
        der = has(self.stack, {who.serial})
        crl_file(self.stack).write_bytes(der[:100])  # torn by somebody else: the next CRL replaces it
        self.stack.certq("crl", "publish", "person-ca")
        self.assertGreater(number(has(self.stack, {who.serial})), number(der))

    def test_command_line(self):
        made = self.stack.certq_json("crl", "publish", "person-ca")[0]
        self.assertEqual(made["state"], "done", made)
        shown = until("the newest is shown", lambda: next(
            (s for s in self.stack.certq_json("crl", "show")
             if s["issuer"] == "person-ca" and s["number"] >= made["result"]["number"] and s["file"]["state"] == "the newest"), None))
        self.assertEqual(len(self.stack.certq_json("crl", "publish")), len(ISSUERS))
        shown = self.stack.certq_json("crl", "show", "person-ca")[0]
        self.assertEqual(shown["bytes"], crl_file(self.stack).stat().st_size)
        self.assertEqual(shown["entries"], len(listed(crl_file(self.stack).read_bytes())))
        self.assertEqual(shown["url"], "http://crl.example.jp/crl/person-ca.crl")
        self.assertRegex(shown["age"], r"^(\d+ min )?\d+ s$")
        self.assertRegex(shown["left"], r"^(7 d 0|6 d 23) h$")
        text = self.stack.certq("crl", "show", "person-ca").stdout
        self.assertRegex(text, r"(?m)^number: \d+$")
        self.assertRegex(text, r"(?m)^next_update: \d{4}-\d\d-\d\d \d\d:\d\d:\d\d JST$")
        self.assertFalse([line for line in text.splitlines() if len(line) > 80], text)
        for verb in ("show", "publish"):
            done = self.stack.certq("crl", verb, "no-such-ca", check=False)
            self.assertEqual(done.returncode, 1)
            self.assertIn("issuer", done.stderr)


class Urgent(StackCase):
    OPTIONS = {"crl_soon": "1h"}

    def test_the_urgent_takes_the_others_along(self):
        slow, urgent = Holder(self.stack, self.client), Holder(self.stack, self.client)
        slow.revoke_it(self.client)
        asked = self.stack.certq_json("crl", "show", "person-ca")[0]
        self.assertEqual(asked["number"], "none yet")
        self.assertEqual(asked["file"]["state"], "not there")
        due = datetime.datetime.fromisoformat(asked["asked"]["run_at"].replace("Z", "+00:00"))
        left = due - datetime.datetime.now(datetime.timezone.utc)
        self.assertTrue(datetime.timedelta(minutes=55) < left <= datetime.timedelta(hours=1), left)
        urgent.revoke_it(self.client, priority=9)
        has(self.stack, {slow.serial, urgent.serial})
        self.assertNotIn("asked", self.stack.certq_json("crl", "show", "person-ca")[0])
        self.assertEqual(self.stack.count("job_history", "kind = 'crl' AND state = 'cancelled'"), 1)
        self.assertEqual(self.stack.count("job", "kind = 'crl'"), 0)


class Scheduled(unittest.TestCase):
    def test_one_a_day(self):
        with Stack(broker_extra=SCHEDULE) as stack:
            broker = stack.start_broker()
            stack.start_worker(KINDS)
            first = number(has(stack, set()))  # nobody saw the last tick: it is made on the first start
            self.assertEqual(first, 1)
            day = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(days=1)
            stack.certq("clock", "set", day.isoformat())
            until("the next day's", lambda: number(crl_file(stack).read_bytes()) == 2)
            def metric():
                with urllib.request.urlopen(f"http://127.0.0.1:{stack.ports[0][2]}/metrics") as answer:
                    found = re.search(rb"(?m)^certq_crl_seconds_left (\d+)$", answer.read())
                return int(found.group(1))
            until("a week is left", lambda: 6.9 * 86400 < metric() <= 7 * 86400)
            broker.wait_line(r"ev=schedule\.ran schedule=.crl person-ca")
            stack.drain()


class OldDatabase(unittest.TestCase):
    def test_a_newer_file_stays(self):
        """A database restored from an old backup does not take published revocations back."""
        with Stack(crl_soon="0s") as stack:
            stack.start_catcher()
            broker = stack.start_broker()
            stack.start_worker(KINDS)
            stack.start_worker("mail")
            client = stack.client()
            self.addCleanup(client.close)
            stack.certq("crl", "publish", "person-ca")
            who = Holder(stack, client)
            who.revoke_it(client)
            der = has(stack, {who.serial})
            broker.wait_line(r"ev=crl\.exported .*number=2 ")  # else it knows number 1
            until("nothing is waiting", lambda: stack.count("job") == 0)
            for table in ("crl", "crl_piece", "revocation"):
                stack.sql(f"DELETE FROM {table}")
            made = stack.certq_json("crl", "publish", "person-ca")[0]
            self.assertEqual(made["result"]["number"], 1)
            self.assertEqual(crl_file(stack).read_bytes(), der)
            broker.wait_line(r"level=error .*ev=crl\.unexported .*is there already")
            self.assertIn("newer than the database's",
                          stack.certq_json("crl", "show", "person-ca")[0]["file"]["state"])
            stack.drain()


class Kills(StackCase):
    """Workers and brokers die at any moment; whatever was revoked is on a CRL in the end, by itself."""
    OPTIONS = {"crl_soon": "200ms", "brokers": 2}

    def test_nothing_is_missing(self):
        seed = random.SystemRandom().randrange(1 << 32)
        print(f"seed {seed}", flush=True)
        chance = random.Random(seed)
        brokers = [self.broker, self.stack.start_broker(1)]
        workers = [self.worker, self.stack.start_worker(KINDS, name="second")]
        holders = [Holder(self.stack, self.client) for _ in range(10)]
        clients = [self.client, self.stack.client(1)]
        self.addCleanup(clients[1].close)
        for who in holders:
            clients[chance.randrange(2)].run("revoke", {"certificate": who.certificate, "by": OPERATOR,
                                                        "reason": "cessationOfOperation"})
            victim = chance.choice(("worker", "worker", "broker", None))
            i = chance.randrange(2)
            if victim == "worker":
                workers[i].kill()
                workers[i] = self.stack.start_worker(KINDS, name=f"again-{i}")
            elif victim == "broker":
                brokers[i].kill()
                brokers[i] = self.stack.start_broker(i)
        revoked = {row[0] for row in self.stack.sql("SELECT LOWER(HEX(serial)) FROM revocation")}
        self.assertEqual(revoked, {who.serial for who in holders})
        der = has(self.stack, revoked)
        until("no more are asked for", lambda: self.stack.count("job", "kind = 'crl'") == 0)
        numbers = [int(n) for n, in self.stack.sql("SELECT number FROM crl ORDER BY number")]
        self.assertEqual(numbers, list(range(1, len(numbers) + 1)))
        self.assertLessEqual(number(der), numbers[-1])


if __name__ == "__main__":
    unittest.main(verbosity=2)
