"""A short run of scripts/chaos, and proof that its check sees what is wrong: a clean history is spoilt in
one way after another. CERTQ_SEED repeats a run's faults and load."""
import json
import os
import random
import sys
import unittest

from chaos import Run
from chaos_check import Check

SEED = int(os.environ.get("CERTQ_SEED") or random.SystemRandom().randrange(1 << 32))
SECONDS = 40


def twin(table, where):
    """A second row like one that is there, with another id."""
    return (f"CREATE TEMPORARY TABLE t SELECT * FROM {table} WHERE {where} LIMIT 1; "
            f"UPDATE t SET id = UNHEX(REPEAT('ab', 16)); INSERT INTO {table} SELECT * FROM t")


# (what is done to the history, what the check must say)
SPOILS = [
    ("INSERT INTO chaos SELECT NULL, 'certificate', id, subscriber, version, session + 1, 'valid' FROM chaos "
     "WHERE what = 'raised' ORDER BY seq DESC LIMIT 1", "had not raised"),
    (twin("audit", "event = 'application.accepted'"), "2 times application.accepted"),
    (twin("application", "kind = 'issue'"), "has 2 applications"),
    ("DELETE FROM revocation LIMIT 1", "its revocation is missing"),
    ("UPDATE certificate SET not_after_ms = not_after_ms + 1 WHERE predecessor IS NOT NULL AND der IS NOT NULL "
     "LIMIT 1", "certificates of one chain end at"),
    ("UPDATE mail SET message_id = CONCAT('x', message_id) WHERE state = 'sent' LIMIT 1", "is missing"),
    ("UPDATE job_history SET state = 'refused' WHERE kind = 'issue' AND state = 'done' LIMIT 1",
     "its client was told done"),
    ("DELETE FROM job_history WHERE kind = 'noop' LIMIT 1", "is in no table"),
    ("DELETE FROM crl ORDER BY number LIMIT 1", "it is the 1th"),
    ("INSERT INTO job (id, slot, `rank`, kind, priority, run_at_ms, args, fingerprint, client, created_ms) VALUES "
     "(UNHEX(REPEAT('ef', 16)), 0, 0, 'noop', 5, 0, '{}', REPEAT('x', 32), 'certq', 0)", "is still waiting"),
]


class Chaos(unittest.TestCase):

    def test_a_short_run(self):
        print(f"CERTQ_SEED={SEED}", file=sys.stderr)
        with Run(SEED, seconds=SECONDS, people=24, rate=30) as run:
            run.torment()
            run.settle()
            found = run.check()
            run.tell(found)
            self.assertEqual(found[:3], [], f"seed {SEED}")
            run.stack.drain()
            self.spoil(run)

    def spoil(self, run):
        for statement, expected in SPOILS:
            with self.subTest(expected):
                run.stack.sql(statement)
                said = [text for text, _ in Check(run.stack, run.crowd).violations()]
                self.assertTrue(any(expected in text for text in said), f"{statement}: {said[:5]}")
        with self.subTest("another subject"):
            self.change_a_copy(run.stack.folder / "mail")
            said = [text for text, _ in Check(run.stack, run.crowd).violations()]
            self.assertTrue(any("copies that differ" in text for text in said), said[:5])

    @staticmethod
    def change_a_copy(folder):
        """One mail arrives once more, with another subject: bytes behind a body in base64 are no text of it."""
        entry = json.loads((folder / "index.jsonl").read_text().splitlines()[-1])
        message = (folder / entry["file"]).read_bytes()
        (folder / "changed.eml").write_bytes(message.replace(b"Subject: ", b"Subject: another ", 1))
        with open(folder / "index.jsonl", "a", encoding="utf-8") as index:
            index.write(json.dumps({**entry, "file": "changed.eml"}) + "\n")


if __name__ == "__main__":
    unittest.main()
