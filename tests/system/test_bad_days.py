"""Servers on their bad days: MariaDB read-only, out of connections, out of disk, with a clock a day off; a
mail server that says 250 and hangs up, one address refused among a hundred; a client that asks again and
again while its job runs. What is promised for each is in docs/reliability.md (R6, I8, X1, X2)."""
import json
import os
import re
import shutil
import signal
import subprocess
import time
import unittest

from faults import Load, check_exactly_once
from harness import SOURCE, Stack, make_key_and_csr, new_id, until
from people import KINDS, Applicant, StackCase, body_of, hashed, mails_to, uuid_hex

USERS = ("certq_broker", "certq_worker", "certq_mail")
DAY = 24 * 3600


class BadDay(unittest.TestCase):

    def begin(self, stack):
        self.stack = stack
        self.addCleanup(stack.close)
        stack.__enter__()
        stack.start_catcher()
        self.broker = stack.start_broker()
        stack.start_worker(KINDS, name="worker")
        stack.start_worker("mail", name="mail")

    def server(self, statement):
        """As the administrator, for whom one connection is kept: it may not be free at once."""
        def try_it():
            try:
                return [self.stack.sql(statement)]
            except AssertionError as error:
                if "Too many connections" not in str(error):
                    raise
                return None
        return until(statement[:40], try_it)[0]

    def admin(self, statement):
        """A session of its own that lasts as long as its statement."""
        password = (self.stack.database / "passwords" / "certq_admin").read_text().strip()
        session = subprocess.Popen(["mariadb", "--no-defaults", f"--socket={self.stack.socket}", "--user=certq_admin",
                                    f"--password={password}", "certq", "-e", statement],
                                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.addCleanup(session.wait)
        self.addCleanup(session.kill)
        return session

    def refuses(self, seconds=20):
        """Until a new request is answered `unavailable`; it is sent again until it is accepted later."""
        with self.stack.client() as client:
            def unavailable():
                answer = client.accepted(client.submit("noop", {}))
                return answer["state"] == "rejected" and answer["error"]["code"] == "unavailable"
            until("requests are refused", unavailable, seconds)

    def ends_well(self, load):
        load.wait_for(len(load.ended) + 20)
        load.finish()
        check_exactly_once(self, self.stack, load)
        self.assertTrue(self.broker.alive())
        self.stack.drain()


class Server(BadDay):

    def test_read_only(self):
        """No effect and no acceptance while it lasts; all of it afterwards, and no attempt is lost."""
        self.begin(Stack())
        for user in USERS:  # or they could go on writing
            self.assertIn("GRANT USAGE ON *.*", self.server(f"SHOW GRANTS FOR {user}@localhost")[0][0])
        load = Load(self.stack, outstanding=100)
        load.wait_for(40)
        self.server("SET GLOBAL read_only = 1")
        rows = "SELECT (SELECT COUNT(*) FROM job), (SELECT COUNT(*) FROM job_history), (SELECT COUNT(*) FROM mail)"
        before = self.server(rows)
        self.refuses()
        self.assertEqual(self.server(rows), before)
        self.assertEqual(self.stack.count("job_history", "state = 'dead'"), 0)
        self.server("SET GLOBAL read_only = 0")
        self.ends_well(load)

    def test_it_says_nothing(self):
        """Stopped, not dead: no connection breaks. Who asks is told in time, and all goes on afterwards."""
        self.begin(Stack())
        load = Load(self.stack, outstanding=100)
        load.wait_for(40)
        pid = int((self.stack.database / "mariadbd.pid").read_text())
        os.kill(pid, signal.SIGSTOP)
        try:
            with self.stack.client() as client:
                answer = client.accepted(client.submit("noop", {}), 10)
                self.assertEqual(answer["error"]["code"], "unavailable", answer)
        finally:
            os.kill(pid, signal.SIGCONT)
        self.ends_well(load)

    def test_no_connection_is_free(self):
        """Everybody is thrown out and nobody comes in; then they do, without being started again."""
        self.begin(Stack())
        load = Load(self.stack, outstanding=100)
        load.wait_for(40)
        most = self.stack.sql("SELECT @@max_connections")[0][0]
        hogs = self.hog()
        self.refuses()
        for hog in hogs:
            hog.kill()
            hog.wait()
        self.server(f"SET GLOBAL max_connections = {most}")
        self.ends_well(load)

    def hog(self):
        """All connections there may be, held by somebody else; then everybody is thrown out, once."""
        argv = ["mariadb", "--no-defaults", f"--socket={self.stack.socket}", "--user=certq_reader",
                f"--password={(self.stack.database / 'passwords' / 'certq_reader').read_text().strip()}",
                "-e", "SELECT SLEEP(600)"]
        hogs = [subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) for _ in range(10)]
        self.addCleanup(lambda: [(h.kill(), h.wait()) for h in hogs])
        until("all have one", lambda: self.stack.count("information_schema.PROCESSLIST",
                                                       "USER = 'certq_reader'") == len(hogs))
        self.server(f"SET GLOBAL max_connections = {len(hogs)}; "
                    + "; ".join(f"KILL USER '{user}'@'localhost'" for user in USERS))
        return hogs


class Disk(BadDay):

    def setUp(self):
        self.stack = Stack()
        self.stack.database.mkdir()
        self.addCleanup(shutil.rmtree, self.stack.folder, True)
        done = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=400m", "tmpfs", self.stack.database],
                              capture_output=True, text=True)
        if done.returncode:
            self.skipTest(f"a small disk cannot be mounted: {done.stderr.strip()}")
        self.addCleanup(self.unmount)

    def unmount(self):
        """After the stack was closed."""
        subprocess.run(["umount", self.stack.database], check=True)

    def fill(self):
        """Until nothing more fits."""
        with open(self.stack.database / "filler", "wb") as file:
            try:
                while True:
                    file.write(b"x" * 65536)
                    file.flush()
            except OSError:
                pass

    def test_a_full_disk(self):
        """What is accepted stays, what does not fit is refused, and when there is room all of it is done."""
        self.begin(self.stack)
        load = Load(self.stack, outstanding=300)
        load.wait_for(40)
        self.fill()

        def felt():
            log = "".join(p.log() for p in self.stack.processes)
            return re.search(r"is full|No space|out of space|Disk full|\(1114\)|\(1021\)|\(1026\)", log)
        until("somebody runs out of space", felt, 60)
        self.assertEqual(self.stack.count("job_history", "state = 'dead'"), 0)
        os.unlink(self.stack.database / "filler")
        self.ends_well(load)


class Clock(unittest.TestCase):
    """I8: what the server believes to be the time takes no part in anything."""

    def test_no_statement_asks_the_time(self):
        asks = re.compile(r"\b(NOW|SYSDATE|CURDATE|CURTIME|UTC_TIMESTAMP|UTC_DATE|UTC_TIME|UNIX_TIMESTAMP|LOCALTIME|"
                          r"LOCALTIMESTAMP|CURRENT_TIMESTAMP|CURRENT_DATE|CURRENT_TIME)\b\s*\(?", re.I)
        found = []
        for path in [*SOURCE.glob("common/**/*.[ch]"), *SOURCE.glob("workers/**/*.[ch]"),
                     *SOURCE.glob("broker/**/*.[ch]"), *SOURCE.glob("client/**/*.[ch]"), *SOURCE.glob("schema/*.sql")]:
            text = path.read_text()
            text = re.sub(r"/\*.*?\*/|//[^\n]*|--[^\n]*", "", text, flags=re.S)
            strings = text if path.suffix == ".sql" else " ".join(re.findall(r'"(?:[^"\\]|\\.)*"', text))
            found += [f"{path.name}: {m.group()}" for m in asks.finditer(strings)
                      if path.suffix == ".sql" or m.group().strip().endswith("(") or "_" in m.group()]
        self.assertEqual(found, [])

    def test_a_day_ahead_and_a_day_behind(self):
        for shift in (DAY, -DAY):
            with self.subTest(shift), Stack() as stack:
                # For everybody but administrators: each session begins with this.
                stack.sql(f"SET GLOBAL init_connect = 'SET timestamp = UNIX_TIMESTAMP() + {shift}'")
                stack.start_catcher()
                stack.start_broker()
                stack.start_worker(KINDS, name="worker")
                stack.start_worker("mail", name="mail")
                self.live(stack)
                stack.drain()

    def live(self, stack):
        began = int(time.time() * 1000)
        with stack.client() as client:
            who = Applicant(stack)
            who.issue(client)
            got = who.retrieve(client)
            self.assertEqual(got["state"], "done", got)
            self.assertEqual(got["result"]["not_before"][:10], time.strftime("%Y-%m-%d", time.gmtime()))
            self.assertEqual(who.revoke(client)["state"], "done")
            self.assertEqual(client.run("crl", {"issuer": "person-ca"})["state"], "done")
        until("all is done", lambda: stack.count("job", "kind = 'mail'") == 0)
        ended = int(time.time() * 1000)
        columns = stack.sql("SELECT TABLE_NAME, COLUMN_NAME FROM information_schema.COLUMNS WHERE TABLE_SCHEMA = "
                            "'certq' AND COLUMN_NAME IN ('created_ms', 'finished_ms', 'issued_ms', 'revoked_ms', "
                            "'at_ms', 'sent_ms', 'started_ms', 'this_update_ms')")
        seen = 0
        for table, column in columns:
            rows = stack.sql(f"SELECT MIN({column}), MAX({column}) FROM {table}")[0]
            for value in [int(v) for v in rows if v != "NULL"]:
                self.assertTrue(began - 120000 <= value <= ended + 1000, f"{table}.{column}: {value}")
                seen += 1
        self.assertGreater(seen, 10)


class Resent(BadDay):

    def test_a_request_is_sent_again_and_again_in_flight(self):
        """One job at two brokers, sixty times, while it waits, runs and ends: one effect, one answer."""
        self.begin(Stack(brokers=2))
        self.stack.start_broker(1)
        who = Applicant(self.stack)
        args = who.issue_args(password=hashed(who.password))
        with self.stack.client(0) as one, self.stack.client(1) as two:
            id = new_id()
            for _ in range(30):
                one.send("issue", {"id": id, "args": args})
                two.send("issue", {"id": id, "args": args})
            first, second = one.done(id), two.done(id)
            for _ in range(30):
                two.send("issue", {"id": id, "args": args})
            self.assertEqual(first["state"], "done", first)
            self.assertEqual(first, second)
            other = {**args, "subscriber": {**args["subscriber"], "email": "other@example.jp"}}
            one.final.clear()
            one.send("issue", {"id": id, "args": other})
            self.assertEqual(until("a conflict", lambda: one.done(id))["error"]["code"], "conflict")
        self.assertEqual(self.stack.count("application"), 1)
        self.assertEqual(self.stack.count("certificate"), 1)
        self.assertEqual(self.stack.count("job_history", f"id = UNHEX('{uuid_hex(id)}')"), 1)
        until("its mail", lambda: mails_to(self.stack, who.email))
        self.stack.drain()


class Poison(BadDay):

    def test_a_job_that_kills_its_worker(self):
        """It takes a whole group down once, then only itself, and is dead after three times alone."""
        self.begin(Stack())
        stack, client = self.stack, self.stack.client()
        self.addCleanup(client.close)
        worker = next(p for p in stack.processes if p.name.startswith("worker"))
        # Whoever stores it is found waiting in the middle of its transaction, and killed.
        self.server("CREATE TRIGGER poison BEFORE INSERT ON subscriber FOR EACH ROW SET NEW.language = "
                    "IF(NEW.email = 'poison@example.jp' AND GET_LOCK('poison', 60) = 9, '', NEW.language)")
        keeper = self.admin("SELECT GET_LOCK('poison', 0), SLEEP(600)")
        until("it is kept", lambda: stack.sql("SELECT IS_USED_LOCK('poison')") != [["NULL"]])
        stack.certq("queue", "pause", "issue")
        people = [Applicant(stack) for _ in range(20)]
        people[7].email = people[7].subscriber["email"] = "poison@example.jp"
        ids = [client.submit("issue", who.issue_args(password=hashed(who.password))) for who in people]
        for id in ids:
            client.accepted(id)
        stack.certq("queue", "resume", "issue")
        asleep, seen = "SELECT ID FROM information_schema.PROCESSLIST WHERE STATE = 'User lock'", set()
        while stack.count("job_history", f"id = UNHEX('{uuid_hex(ids[7])}')") == 0 and len(seen) < 9:
            for session in {row[0] for row in stack.sql(asleep)} - seen:
                seen.add(session)
                worker.kill()
                self.server("KILL USER 'certq_worker'@'localhost'")  # or the server lets it sleep on
                worker = stack.start_worker(KINDS, name="worker")
        answers = [client.done(id) for id in ids]
        self.assertEqual(answers[7]["state"], "dead", answers[7])
        self.assertEqual(answers[7]["error"]["code"], "crashed")
        self.assertEqual([a["state"] for a in answers[:7] + answers[8:]], ["done"] * 19)
        self.assertIn(len(seen), (3, 4))  # in company first, or alone from the start
        self.assertEqual(self.stack.count("application"), 19)
        self.assertEqual(stack.count("job_history", "crashes > 0 AND state = 'done'"), 0, "they were not alone")
        self.server("DROP TRIGGER poison")
        keeper.kill()
        stack.certq("job", "retry", ids[7])
        until("it is done", lambda: self.stack.count("application") == 20)
        stack.drain()


class Mail(StackCase):
    OPTIONS = {"smtp_timeout": "2s"}

    @classmethod
    def start(cls, stack):
        cls.behave = stack.folder / "behave.json"
        stack.start_catcher("--behave", cls.behave)
        stack.start_broker()
        stack.start_worker(KINDS, name="worker")
        stack.start_worker("mail", name="mail")

    def be(self, **manners):
        new = self.behave.with_suffix(".new")
        new.write_text(json.dumps(manners))
        os.replace(new, self.behave)

    def applied(self, count):
        _, self.csr = make_key_and_csr(self.stack.folder)
        people = [Applicant(self.stack) for _ in range(count)]
        ids = [self.client.submit("issue", who.issue_args(password=hashed(who.password))) for who in people]
        for who, id in zip(people, ids):
            self.done(self.client.done(id))
        return people

    def states(self):
        return dict(self.stack.sql("SELECT recipient, state FROM mail"))

    def copies(self, who):
        return [(m["Message-ID"], body_of(m)) for m in mails_to(self.stack, who.email)]

    def test_one_refused_among_a_hundred(self):
        self.stack.certq("queue", "pause", "mail")
        people = self.applied(100)
        bad = people[37]
        self.be(RCPT={bad.email: "550 5.1.1 no such user"})
        self.stack.certq("queue", "resume", "mail")
        until("all have their fate", lambda: all(
            self.states().get(w.email) == ("rejected" if w is bad else "sent") for w in people))
        self.assertEqual([len(self.copies(w)) for w in people], [0 if w is bad else 1 for w in people])
        self.assertEqual(self.stack.sql(f"SELECT tries FROM mail WHERE recipient = '{bad.email}'"), [["1"]])

    def test_250_and_the_line_is_gone(self):
        """It said 250: that mail is sent, and only those behind it go again."""
        self.be(EOM="keep 250 ok +drop")
        people = self.applied(12)
        until("all are sent", lambda: all(self.states().get(w.email) == "sent" for w in people))
        self.be()
        for who in people:
            self.assertEqual(len(self.copies(who)), 1, who.email)


if __name__ == "__main__":
    unittest.main()
