"""Whatever comes in wrong is answered with a code and a text that names it, leaves no half row behind, and
the next request on the same connection works (B6; docs/protocol.md 2.3, 3.1, 3.3)."""
import json
import unittest

from harness import new_id, until
from people import OPERATOR, Applicant, StackCase, WELL_FORMED

TABLES = ("job", "subscriber", "application", "certificate", "revocation", "mail", "audit")


class Input(StackCase):

    def setUp(self):
        super().setUp()
        self.args = Applicant(self.stack).issue_args()

    def counts(self):
        until("nothing waits", lambda: self.stack.count("job") == 0)
        return {table: self.stack.count(table) for table in TABLES}

    def answer(self, frames):
        """Sends frames as they are; returns the final answer, on the one connection."""
        self.client.socket.send_multipart(frames)
        while True:
            message = self.client.receive()
            self.assertIsNotNone(message, "no answer")
            if message[0] == b"\x03":
                return message[2]

    def send(self, kind, body):
        return self.answer([b"MDPC02", b"\x01", kind.encode(), body])

    def next_works(self):
        self.assertEqual(self.client.run("noop", {})["state"], "done")

    def rejected(self, answer, code, *words):
        self.assertEqual(answer["state"], "rejected", answer)
        self.assertEqual(answer["error"]["code"], code, answer)
        for word in words:
            self.assertIn(word.lower(), answer["error"]["message"].lower(), answer)

    def body(self, **members):
        return json.dumps({"id": new_id(), "args": self.args, **members}, ensure_ascii=False).encode()

    # --- before acceptance ---

    def test_messages_that_are_no_requests(self):
        before = self.counts()
        rows = ([b"MDPC02"], [b"MDPC02", b"\x01"], [b"MDPC02", b"\x01", b""],
                [b"MDPC09", b"\x01", b"noop", b"{}"],
                [b"", b""], [b""], [b"\xff" * 300], [b"MDPC02", b"\x01", b"x" * 65, b"{}"],
                [b"MDPC02", b"\x01", b"no\xff", b"{}"], [b"MDPC02", b"\x01", b"no op", b"{}"])
        for frames in rows:
            with self.subTest(frames=frames):
                self.client.socket.send_multipart(frames)
                self.next_works()
        self.rejected(self.answer([b"MDPC02", b"\x07", b"noop", b"{}"]), "bad-request")
        self.rejected(self.answer([b"MDPC02", b"\x01", b"noop"] + [b"{}"] * 9), "too-large")
        self.assertEqual(self.counts(), before)

    def test_bodies_that_are_no_requests(self):
        before = self.counts()
        good = self.body()
        text = good.decode()
        rows = {
            "empty": (b"", []), "cut off": (good[:-1], ["cut off"]),
            "cut off in a string": (good[:40], ["cut off"]),
            "text after it": (good + b"x", []), "two": (good + good, []), "a list": (b"[]", ["object"]),
            "a number": (b"7", []), "no JSON": (b"hello", []),
            "not UTF-8": (good.replace("花".encode(), b"\xe8\x8a"), ["utf-8"]),
            "overlong UTF-8": (good.replace("花".encode(), b"\xc0\xaf"), ["utf-8"]),
            "a surrogate": (text.replace("花", "\\ud800").encode(), []),
            "a NUL": (text.replace("花", "\\u0000").encode(), []),
            "UTF-16": (text.encode("utf-16"), []), "a BOM": (b"\xef\xbb\xbf" + good, []),
            "a member twice": (text.replace('"args"', '"args": {}, "args"').encode(), ["duplicate"]),
            "an unknown member": (self.body(extra=1), ["extra"]),
            "no id": (json.dumps({"args": self.args}).encode(), ["id"]),
            "id is no UUID": (self.body(id="7"), ["id"]), "id is a number": (self.body(id=7), ["id"]),
            "id of zeros": (self.body(id="00000000-0000-0000-0000-000000000000"), ["id"]),
            "an old id": (self.body(id="01500000-0000-7000-8000-000000000001"), ["id"]),
            "args is a list": (self.body(args=[]), ["args"]),
            "args is a text": (self.body(args="x"), ["args"]),
            "at is no time": (self.body(at="tomorrow"), ["at"]),
            "at without a zone": (self.body(at="2027-01-01T00:00:00"), ["at"]),
            "at is no day": (self.body(at="2027-02-30T00:00:00Z"), ["at"]),
            "priority too high": (self.body(priority=10), ["priority"]),
            "priority below": (self.body(priority=-1), ["priority"]),
            "priority is a text": (self.body(priority="5"), ["priority"]),
            "priority 1.5": (self.body(priority=1.5), ["priority"]),
            "a secret that is a number": (self.body(args={"password": 7}), ["password"]),
            "nested too deep": (self.body(args={}).replace(b"{}",
                                                           b'{"a":' + b"[" * 5000 + b"]" * 5000 + b"}"),
                                                           []),
        }
        for name, (body, words) in rows.items():
            with self.subTest(name):
                self.rejected(self.send("issue", body), "bad-request", *words)
                self.next_works()
        self.assertEqual(self.counts(), before)

    def test_too_large_and_unknown(self):
        before = self.counts()
        big = self.body(args={**self.args, "note": "x" * (2 << 20)})
        rows = (("issue", big, "too-large", ["args"]), ("issue", self.body(args={"a": "x" * 70000}),
                                                        "too-large", ["args"]),
                ("no-such-kind", self.body(), "unknown-kind", ["no-such-kind"]),
                ("ISSUE", self.body(), "unknown-kind", ["ISSUE"]),
                ("mail", self.body(), "forbidden", ["mail"]))
        for kind, body, code, words in rows:
            with self.subTest(kind=kind, code=code):
                self.rejected(self.send(kind, body), code, *words)
                self.next_works()
        self.assertEqual(self.counts(), before)

    # --- refused by a rule ---

    def run_refused(self, kind, args, code="bad-request"):
        error = self.refused(self.client.run(kind, args), code)
        self.next_works()
        return error

    def test_everything_that_is_wrong_is_named_at_once(self):
        before = self.counts()
        subscriber = self.args["subscriber"]
        rows = (
            ({**self.args, "product": None}, {"product"}),
            ({**self.args, "product": "no-such"}, {"product"}),
            ({**self.args, "subscriber": None}, {"subscriber"}),
            ({**self.args, "subscriber": "hanako"}, {"subscriber"}),
            ({**self.args, "password": None}, {"password"}),
            ({**self.args, "password": None, "subscriber": {"language": "ja"}},
             {"password", "subscriber.email", "subscriber.name.ja", "subscriber.name.latin",
              "subscriber.organisation.ja", "subscriber.organisation.latin"}),
            ({**self.args, "subscriber": {**subscriber, "email": "no address",
                                          "name": {"ja": "花子", "latin": "花子"}}},
             {"subscriber.email", "subscriber.name.latin"}),
            ({**self.args, "subscriber": {**subscriber, "email": "a@b\r\nBcc: c@example.jp"}},
             {"subscriber.email"}),
            ({**self.args, "subscriber": {**subscriber, "language": "xx"}}, {"subscriber.language"}),
            ({**self.args, "subscriber": {**subscriber, "name": "花子"}}, {"subscriber.name"}),
            ({**self.args, "subscriber": {**subscriber, "name": {"ja": 7, "latin": ["x"]}}},
             {"subscriber.name.ja", "subscriber.name.latin"}),
            ({**self.args, "subscriber": {**subscriber, "name": {"ja": "あ" * 65, "latin": "x" * 65}}},
             {"subscriber.name.ja", "subscriber.name.latin"}),
            ({**self.args, "subscriber": {**subscriber, "e-mail": "x"}}, {"subscriber.e-mail"}),
            ({**self.args, "extra": 1}, {"extra"}),
            ({**self.args, "by": {"role": "king"}}, {"by.role"}),
            ({}, {"product", "subscriber"}),
        )
        for args, fields in rows:
            args = {k: v for k, v in args.items() if v is not None}
            with self.subTest(fields=fields):
                error = self.run_refused("issue", args)
                named = set(error["fields"])
                self.assertTrue(all(any(n == f or n.startswith(f + ".") for n in named) for f in fields), error)
                self.assertTrue(all(error["fields"].values()))
        self.assertEqual(self.counts(), before)

    def test_wrong_requests_to_retrieve(self):
        who = Applicant(self.stack)
        who.issue(self.client)
        args = who.retrieve_args()
        before = self.counts()
        for name in ("email", "password", "code", "csr"):
            error = self.run_refused("retrieve", {k: v for k, v in args.items() if k != name})
            self.assertEqual(set(error["fields"]), {name})
        rows = (({}, {"email", "csr"}), ({"email": who.email}, {"password", "code", "csr"}),
                ({**args, "csr": "x", "extra": 1}, {"csr", "extra"}),
                ({**args, "code": "x", "csr": 7}, {"code", "csr"}),
                ({**args, "code": "", "password": "", "csr": ""}, {"code", "password", "csr"}),
                ({"email": who.email, "csr": "x", "password": "x"}, {"code", "csr"}))
        for wrong, fields in rows:
            with self.subTest(fields=fields):
                self.assertEqual(set(self.run_refused("retrieve", wrong)["fields"]), fields)
        self.assertEqual(self.counts(), before)
        error = self.refused(self.client.run("retrieve", {**args, "code": WELL_FORMED}))
        self.assertNotEqual(error["code"], "bad-request")
        self.next_works()
        self.assertEqual(self.counts(), {**before, "audit": before["audit"] + 1})  # a wrong try is on record
        self.done(self.client.run("retrieve", args))

    def test_wrong_requests_of_operators(self):
        before = self.counts()
        rows = (("revoke", {}, {"certificate"}), ("revoke", {"reason": "superseded", "certificate": 7},
                                                  {"certificate"}),
                ("decide", {}, {"subject", "decision"}), ("decide", {"subject": "x", "decision": "y"},
                                                          {"subject", "decision"}),
                ("crl", {"issuer": "no-such-ca"}, {"issuer"}), ("crl", {"issuer": 7}, {"issuer"}))
        for kind, args, fields in rows:
            with self.subTest(kind=kind, args=args):
                error = self.run_refused(kind, args if kind == "crl" else {**args, "by": OPERATOR})
                self.assertLessEqual(fields, set(error["fields"]))
        self.assertEqual(self.counts(), before)


if __name__ == "__main__":
    unittest.main()
