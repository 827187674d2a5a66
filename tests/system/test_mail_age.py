"""B8: a code arrives in seconds; past five minutes there is an alarm."""
import re
import unittest
import urllib.request
from datetime import datetime, timedelta

from harness import until
from people import Applicant, StackCase


class MailAge(StackCase):
    @classmethod
    def start(cls, stack):
        cls.catcher = stack.start_catcher()
        cls.broker = stack.start_broker()
        cls.worker = stack.start_worker("issue", name="worker")  # and nobody for mail

    def age(self):
        address = f"http://127.0.0.1:{self.stack.ports[0][2]}/metrics"
        with urllib.request.urlopen(address, timeout=10) as answer:
            return int(re.search(rb"(?m)^certq_mail_oldest_seconds (\d+)$", answer.read())[1])

    def test_alarm_and_its_end(self):
        who = Applicant(self.stack)
        who.issue(self.client)
        self.assertLess(self.age(), 300)
        now = datetime.fromisoformat(self.stack.certq_json("clock", "show")[0]["now"])
        self.stack.certq("clock", "set", (now + timedelta(minutes=6)).strftime("%Y-%m-%dT%H:%M:%SZ"))
        until("the alarm", lambda: self.age() > 300)
        self.broker.wait_line("ev=mail.late job=")
        self.stack.start_worker("mail", name="mail")
        who.code()
        until("its end", lambda: self.age() == 0)
        self.broker.wait_line("ev=mail.in-time")


if __name__ == "__main__":
    unittest.main(verbosity=2)
