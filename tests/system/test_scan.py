"""Expiry notices through the real programs, by the test clock: mails 30 and 10 days before, the screen,
a dry run, and the schedule that two brokers share (A2, E2, E3, X3, X8)."""
import datetime
import json
import unittest

from harness import Stack, until
from people import KINDS, Applicant, StackCase, body_of, mails_to

ALL = KINDS + ",expiry-scan,notices"
JST = datetime.timezone(datetime.timedelta(hours=9))
SCHEDULE = """\
schedules:
  - {name: daily-scan, kind: expiry-scan, daily: 06:00, args: {product: online-banking}}
"""
SESSION = {"role": "holder", "how": "session"}


def jst(text):
    return datetime.datetime.fromisoformat(text).replace(tzinfo=JST)


def set_clock(stack, text):
    stack.certq("clock", "set", jst(text).isoformat())


def notices_to(stack, who):
    return [m for m in mails_to(stack, who.email) if "満了のお知らせ" in m["Subject"] or "expire" in m["Subject"]]


class Scan(StackCase):
    SERVES = ALL

    def valid(self, **options):
        """Somebody with a certificate, retrieved now."""
        who = Applicant(self.stack, **options)
        who.issue(self.client)
        who.serial = self.done(who.retrieve(self.client))["serial"]
        return who

    def scan(self, *options):
        """{product: …} of a scan that must be done."""
        answer = self.stack.certq_json("scan", *options)[-1]
        return self.done(answer)["products"]

    def expect_notice(self, who, count=1):
        mail = until(f"notice {count} to {who.email}",
                     lambda: len(notices_to(self.stack, who)) >= count and notices_to(self.stack, who))[-1]
        self.assertEqual(len(notices_to(self.stack, who)), count)
        return body_of(mail)

    def test_notices_from_retrieval_to_expiry(self):
        stack = self.stack
        self.addCleanup(stack.certq, "clock", "reset")
        set_clock(stack, "2026-08-01T10:00")
        who, english = self.valid(), self.valid(language="en")
        gone, bank = self.valid(), self.valid(product="online-banking")
        self.done(gone.revoke(self.client))

        # A2: 760 days from 2026-08-01, to 2028-08-30 23:59:59Z, which is the 31st in Japan.
        set_clock(stack, "2028-07-31T23:59")
        self.assertEqual(self.scan()["association"]["scanned"], 0)
        set_clock(stack, "2028-08-01T00:01")
        before = stack.count("notice"), stack.count("job_history", "kind = 'mail'")
        table = stack.certq("scan", "--dry-run").stdout
        self.assertRegex(table, r"PRODUCT +SCANNED +DUE AT DAYS +SENT +SKIPPED\n")
        self.assertRegex(table, r"association +3 +30: 3 +2 +revoked: 1\n")
        for text in (who.email, english.email, "revoked", "2028-08-31"):
            self.assertIn(text, table)
        self.assertEqual((stack.count("notice"), stack.count("job_history", "kind = 'mail'")), before)
        self.assertRegex(stack.certq("scan", "--product", "association").stdout,
                         r"association +3 +30: 3 +2 +revoked: 1\n")
        text = self.expect_notice(who)
        for part in (who.serial, "2028年8月31日 08:59:59（日本時間）", "あと30日", "help@example.jp",
                     "改めて発行を", "料金"):
            self.assertIn(part, text)
        text = self.expect_notice(english)
        for part in (english.serial, "31 August 2028, 08:59:59 (Japan time)", "30 days", "apply for a new"):
            self.assertIn(part, text)
        again = self.scan("--as-of", "2028-08-15")["association"]
        self.assertEqual((again["scanned"], again["sent"]), (0, 0))
        self.assertEqual(notices_to(stack, gone), [])
        self.assertEqual(notices_to(stack, bank), [])  # expired long ago

    def test_bank(self):
        """E2, E3: 30 and 10 days before, and on the screen in between."""
        stack = self.stack
        self.addCleanup(stack.certq, "clock", "reset")
        set_clock(stack, "2026-04-01T10:00")
        bank, late = self.valid(product="online-banking"), self.valid(product="online-banking")
        ask = {"company_code": "000000001", "user_id": bank.user_id, "by": SESSION}

        def screen():
            return self.done(self.client.run("notices", ask))["notices"]

        set_clock(stack, "2027-03-01T23:59")
        self.assertEqual((self.scan("--product", "online-banking")["online-banking"]["scanned"], screen()), (0, []))
        set_clock(stack, "2027-03-02T00:01")
        shown = screen()
        self.assertEqual([(n["days_left"], n["not_after"], n["serial"]) for n in shown],
                         [(30, "2027-04-01T14:59:59Z", bank.serial)])
        self.assertTrue(shown[0]["link"].startswith("https://"))
        self.assertEqual(self.scan()["online-banking"]["due"], {"30": 2, "10": 0})
        self.assertIn("あと30日", self.expect_notice(bank))
        self.expect_notice(late)
        # Nobody scans until eight days are left.
        set_clock(stack, "2027-03-24T09:00")
        result = self.scan()["online-banking"]
        self.assertEqual((result["due"], result["sent"]), ({"30": 0, "10": 2}, 2))
        self.assertIn("あと8日", self.expect_notice(bank, 2))
        self.done(bank.revoke(self.client))
        self.assertEqual(screen(), [])
        self.refused(self.client.run("notices", {**ask, "by": {"role": "holder", "how": "counter"}}), "forbidden")

    def test_a_bad_day(self):
        done = self.stack.certq("scan", "--as-of", "tomorrow", check=False)
        self.assertEqual(done.returncode, 1)
        self.assertIn("as_of: must be a day", done.stderr)


class Schedule(unittest.TestCase):

    def ticks(self):
        """{tick: broker's life (hex)} of the schedule, as written."""
        return dict(self.stack.sql("SELECT FROM_UNIXTIME(tick_ms DIV 1000), HEX(broker) FROM schedule"))

    def runs(self):
        """How many scans are done; every one of them belongs to a tick."""
        rows = self.stack.sql("SELECT h.state, h.client, s.schedule FROM job_history h LEFT JOIN schedule s "
                              "ON s.job = h.id WHERE h.kind = 'expiry-scan'")
        self.assertTrue(all(row == ["done", "certq", "daily-scan"] for row in rows), rows)
        return len(rows)

    def expect_tick(self, count):
        until(f"{count} ticks run", lambda: len(self.ticks()) == count and self.runs() == count)

    def test_two_brokers_one_run(self):
        with Stack(brokers=2, broker_extra=SCHEDULE) as stack:
            self.stack = stack
            stack.start_catcher()
            brokers = [stack.start_broker(i) for i in range(2)]
            stack.start_worker(ALL, name="worker")
            stack.start_worker("mail", name="mail")
            self.expect_tick(1)  # the last tick before the start is caught up
            set_clock(stack, "2030-04-01T10:00")
            self.expect_tick(2)
            with stack.client() as client:
                who = Applicant(stack, product="online-banking")
                who.issue(client)
                self.assertEqual(who.retrieve(client)["state"], "done")
            # Eleven months of ticks are missed: one run.
            set_clock(stack, "2031-03-02T05:59:55")
            self.expect_tick(3)
            until("the tick of six o'clock", lambda: len(self.ticks()) == 4)
            self.expect_tick(4)
            until("the notice", lambda: len(notices_to(stack, who)) == 1)
            # Whoever is left runs the next one.
            brokers[0].kill()
            set_clock(stack, "2031-03-23T06:00:01")
            self.expect_tick(5)
            until("the second notice", lambda: len(notices_to(stack, who)) == 2)
            self.assertEqual(stack.sql("SELECT COUNT(*), COUNT(DISTINCT tick_ms) FROM schedule"), [["5", "5"]])
            result = json.loads(stack.sql("SELECT result FROM job_history h JOIN schedule s ON s.job = h.id "
                                          "ORDER BY tick_ms DESC LIMIT 1")[0][0])
            self.assertEqual(list(result["products"]), ["online-banking"])
            stack.processes.remove(brokers[0])
            stack.drain()

    def test_a_zone_nobody_knows(self):
        with Stack(broker_extra=SCHEDULE.replace("06:00", "06:00, zone: Mars/Olympus")) as stack:
            broker = stack.start_broker(wait=False)
            self.assertEqual(broker.process.wait(30), 78)
            self.assertRegex(broker.log(), r"schedules\[0\].zone: .*Mars/Olympus.* is none of")


if __name__ == "__main__":
    unittest.main(verbosity=2)
