"""What a client's or worker's key may, with CURVE and on loopback (I12)."""
import collections
import contextlib
import json
import subprocess
import unittest
import uuid

import zmq

import cqw
from broker_case import BrokerCase
from harness import Stack, new_id, until


class Rights(BrokerCase):
    options = {"broker_extra": "  local_client: {name: upstream, kinds: [noop, issue, revoke], roles: [subscriber], "
                               "channels: [credentials], priority: 5, operator: false}"}

    def test_a_key_may_what_its_row_says(self):
        rows = [("crl", {}, {}, "forbidden"), ("lookup", {}, {}, "forbidden"), ("noop", {}, {"priority": 6}, "forbidden"),
                ("issue", {"by": {"role": "operator", "how": "credentials"}}, {}, "forbidden"),
                ("issue", {"by": {"role": "subscriber", "how": "paper"}}, {}, "forbidden"),
                ("noop", {"by": {"role": "agent"}}, {}, "forbidden")]
        for kind, args, more, code in rows:
            with self.subTest(f"{kind} {args} {more}"):
                self.assertEqual(self.client.run(kind, args, **more)["error"]["code"], code)
        id = self.client.submit("issue", {"by": {"role": "subscriber", "how": "credentials"}})
        self.assertEqual(self.client.accepted(id)["state"], "accepted")
        for service in ("certq.queue", "certq.worker", "certq.broker", "certq.clock", "certq.inspect"):
            self.assertEqual(self.op(service, op="list")["error"]["code"], "forbidden")
        self.assertEqual(self.op("certq.job", op="list")["error"]["code"], "forbidden")
        self.assertEqual(self.op("certq.job", op="show", id=id)["result"]["job"]["client"], "upstream")
        # Another client's job: not seen, not cancelled, its id not free.
        self.stack.sql(f"UPDATE job SET client = 'somebody' WHERE id = 0x{uuid.UUID(id).hex}")
        self.assertEqual(self.op("certq.job", op="show", id=id)["error"]["code"], "forbidden")
        self.assertEqual(self.op("certq.job", op="retry", ids=[id])["result"]["jobs"][0]["error"]["code"], "forbidden")
        self.assertEqual(self.client.call01("titanic.reply", uuid.UUID(id).hex.encode()), [b"400"])


class Curve(BrokerCase):
    """With keys: who is not listed does not get in, and a key opens its own port only (I12)."""

    @classmethod
    def setUpClass(cls):
        cls.keys = {name: [k.decode() for k in zmq.curve_keypair()]
                    for name in ("broker", "upstream", "reader", "desk", "operator", "worker", "stranger")}
        listed = "\n".join(
            f"    - {{name: {name}, key: '{cls.keys[name][0]}', kinds: [{kinds}], priority: 5, operator: {more}}}"
            for name, kinds, more in (("upstream", "noop, issue", "false"), ("reader", "noop", "false"),
                                      ("desk", "lookup, crl, noop", "false, roles: [agent]"),
                                      ("operator", "noop", "true")))
        cls.options = {"broker_extra": "  curve_key: keys/broker.curve\n  client_keys:\n" + listed + "\n  worker_keys:\n"
                       f"    - {{name: worker, key: '{cls.keys['worker'][0]}', kinds: [noop]}}"}
        cls.stack = Stack(attempts=3, **cls.options)
        cls.addClassCleanup(cls.stack.close)
        cls.stack.encrypt(cls.keys)
        cls.stack.prepare()
        cls.broker = cls.stack.start_broker()

    def setUp(self):
        pass

    def socket(self, name, port=0, identity=None):
        socket = zmq.Context.instance().socket(zmq.DEALER)
        socket.linger = 0
        if identity:
            socket.identity = identity
        if name:
            socket.curve_publickey, socket.curve_secretkey = (k.encode() for k in self.keys[name])
            socket.curve_serverkey = self.keys["broker"][0].encode()
        socket.connect(f"tcp://127.0.0.1:{self.stack.ports[0][port]}")
        self.addCleanup(socket.close)
        return socket

    def json(self, socket, service, **body):
        return json.loads(self.ask(socket, b"MDPC02", b"\x01", service.encode(), json.dumps(body).encode())[-1])

    def test_only_listed_keys_come_in(self):
        before = self.metric('certq_bad_input_total{what="key"}')
        for name, port in (("stranger", 0), ("stranger", 1), ("worker", 0), ("upstream", 1), (None, 0)):
            with self.subTest(f"{name} at {port}"):
                socket = self.socket(name, port)
                with contextlib.suppress(zmq.Again):  # refused already: nobody to send to
                    socket.send_multipart([b"MDPC02", b"\x01", b"mmi.service", b"noop"], zmq.NOBLOCK)
                self.assertFalse(socket.poll(500))
        until("they are counted", lambda: self.metric('certq_bad_input_total{what="key"}') >= before + 4)
        answer = self.ask(self.socket("upstream"), b"MDPC02", b"\x01", b"mmi.service", b"noop")
        self.assertEqual(answer[-1], b"404")

    def test_a_job_belongs_to_the_name_that_submitted_it(self):
        mine, other, chief = self.socket("upstream"), self.socket("reader"), self.socket("operator")
        id = new_id()
        self.assertEqual(self.json(mine, "noop", id=id)["state"], "accepted")
        self.assertEqual(self.json(other, "noop", id=id)["error"]["code"], "conflict")
        self.assertEqual(self.json(other, "issue", id=new_id())["error"]["code"], "forbidden")
        self.assertEqual(self.json(other, "noop", id=new_id(), priority=6)["error"]["code"], "forbidden")
        self.assertEqual(self.json(other, "certq.job", op="wait", id=id)["error"]["code"], "forbidden")
        self.assertEqual(self.json(other, "certq.job", op="cancel", ids=[id])["result"]["jobs"][0]["error"]["code"],
                         "forbidden")
        self.assertEqual(self.json(mine, "certq.queue", op="list")["error"]["code"], "forbidden")
        self.assertEqual(self.json(chief, "certq.job", op="show", id=id)["result"]["job"]["client"], "upstream")
        self.assertEqual(self.json(chief, "certq.job", op="cancel", ids=[id])["result"]["jobs"][0]["state"], "cancelled")
        self.assertEqual(json.loads(mine.recv_multipart()[-1])["state"], "cancelled")

    def test_questions_that_pile_up_are_busy(self):
        mine, other, n = self.socket("upstream"), self.socket("reader"), 1500
        id = self.row("upstream")
        with self.held("LOCK TABLES job WRITE, job_history WRITE") as session:
            for i in range(n):
                body = json.dumps({"op": "show", "id": id, "tag": str(i)}).encode()
                mine.send_multipart([b"MDPC02", b"\x01", b"certq.job", body])
            self.assertTrue(mine.poll(20000))
            answer = json.loads(mine.recv_multipart()[-1])
            self.assertEqual(answer["error"]["code"], "busy", answer)
            self.assertEqual(self.ask(other, b"MDPC02", b"\x01", b"mmi.service", b"noop")[-1], b"404")
            session.stdin.write("UNLOCK TABLES;\n")
        left = {str(i) for i in range(n)} - {answer["tag"]}
        while left:
            self.assertTrue(mine.poll(20000), f"{len(left)} are not answered")
            left.remove(json.loads(mine.recv_multipart()[-1])["tag"])

    def test_volatile_jobs_that_pile_up_are_busy(self):
        desk, n = self.socket("desk"), 10500
        by = {"by": {"role": "agent"}}
        for i in range(n):
            desk.send_multipart([b"MDPC02", b"\x01", b"lookup", json.dumps({"id": new_id(), "args": by}).encode()])
        codes = collections.Counter()
        for _ in range(n):
            self.assertTrue(desk.poll(30000), codes)
            codes[json.loads(desk.recv_multipart()[-1])["error"]["code"]] += 1
        self.assertEqual(set(codes), {"busy", "unavailable"})
        self.assertGreaterEqual(codes["unavailable"], 10000)

    def test_a_key_bound_to_a_role_asks_for_nobody_else(self):
        desk = self.socket("desk")
        for args in ({}, {"serial": "01"}, {"by": {"role": "subscriber", "how": "credentials"}}):
            with self.subTest(args):
                answer = self.json(desk, "lookup", args=args)
                self.assertEqual(answer.get("error", {}).get("code"), "forbidden", answer)
        self.assertEqual(self.json(desk, "noop", id=new_id())["state"], "accepted")

    def row(self, client):
        """A job of this client that no broker takes in: there is no such slot."""
        id = new_id()
        self.stack.sql("INSERT INTO job (id, slot, `rank`, kind, priority, run_at_ms, args, fingerprint, client, "
                       f"created_ms) VALUES (0x{uuid.UUID(id).hex}, 999, 4e12, 'noop', 5, 4e12, '{{}}', "
                       f"REPEAT('x', 32), '{client}', 1)")
        return id

    def end(self, id):
        self.stack.sql("INSERT INTO job_history (id, kind, state, client, fingerprint, group_id, attempt, failures, "
                       "crashes, created_ms, run_at_ms, finished_ms, result) SELECT id, kind, 'done', client, "
                       "fingerprint, id, 0, 0, 0, 1, 1, 1, '{\"mine\":1}' FROM job WHERE id = 0x" + uuid.UUID(id).hex)

    @contextlib.contextmanager
    def held(self, statement):
        """A session of the administrator's that keeps the locks of this statement."""
        stack = self.stack
        password = (stack.database / "passwords" / "certq_admin").read_text().strip()
        with subprocess.Popen(["mariadb", "--no-defaults", f"--socket={stack.socket}", "--user=certq_admin", "-n", "-N",
                               f"--password={password}", "certq"], text=True, bufsize=1, stdin=subprocess.PIPE,
                              stdout=subprocess.PIPE) as session:
            session.stdin.write(f"{statement}; SELECT 'held';\n")
            while "held" not in session.stdout.readline():
                self.assertIsNone(session.poll())
            yield session
            session.stdin.close()

    def test_a_result_goes_to_nobody_who_took_its_id(self):
        mine, again, other, desk = (self.socket(n) for n in ("upstream", "upstream", "reader", "desk"))
        id = self.row("upstream")
        self.assertTrue(self.json(mine, "certq.job", op="wait", id=id)["ok"])
        answer = self.json(desk, "lookup", id=id, args={"by": {"role": "agent"}})
        self.assertEqual(answer["error"]["code"], "conflict")
        first = new_id()
        taken = ("BEGIN; INSERT INTO job (id, slot, `rank`, kind, priority, run_at_ms, args, fingerprint, client, "
                 f"created_ms) VALUES (0x{uuid.UUID(first).hex}, 1, 4e12, 'noop', 5, 4e12, '', '', 'x', 1)")
        with self.held(taken) as session:
            # The first one's commit waits for that lock, and the second one for the first.
            for taker in (first, id):
                other.send_multipart([b"MDPC02", b"\x01", b"noop", json.dumps({"id": taker}).encode()])
                self.assertFalse(other.poll(200) and other.recv_multipart())
            self.assertEqual(self.json(again, "noop", id=id)["error"]["code"], "busy")
            self.end(id)
            self.assertTrue(mine.poll(20000))
            self.assertEqual(json.loads(mine.recv_multipart()[-1])["result"]["result"], {"mine": 1})
            self.assertFalse(other.poll(200))
            session.stdin.write("ROLLBACK;\n")
        answers = {}
        while len(answers) < 2:
            self.assertTrue(other.poll(20000))
            answer = json.loads(other.recv_multipart()[-1])
            answers[answer["id"]] = answer
        self.assertEqual(answers[first]["state"], "accepted")
        self.assertEqual(answers[id].get("error", {}).get("code"), "conflict", answers)

    def test_an_answer_goes_to_the_connection_that_asked(self):
        """Somebody else may come with the same routing identity before it is there."""
        for heir in ("reader", "upstream"):
            with self.subTest(heir):
                id = self.row("upstream")
                self.end(id)
                with self.held("LOCK TABLES job WRITE, job_history WRITE") as session:
                    mine = self.socket("upstream", identity=b"chosen")
                    self.ask(mine, b"MDPC02", b"\x01", b"mmi.service", b"noop")
                    mine.send_multipart([b"MDPC02", b"\x01", b"titanic.reply", uuid.UUID(id).hex.encode()])
                    self.assertFalse(mine.poll(200))
                    mine.close()
                    def comes_in():
                        socket = self.socket(heir, identity=b"chosen")
                        socket.send_multipart([b"MDPC02", b"\x01", b"mmi.service", b"noop"])
                        return socket if socket.poll(500) else socket.close()
                    other = until("the identity is free", comes_in)
                    self.assertEqual(other.recv_multipart()[2], b"mmi.service")
                    session.stdin.write("UNLOCK TABLES;\n")
                other.send_multipart([b"MDPC02", b"\x01", b"titanic.reply", uuid.uuid4().hex.encode()])
                self.assertTrue(other.poll(20000))
                self.assertEqual(other.recv_multipart()[3], b"400")  # its own; the other one came before
                other.close()

    def test_a_worker_announces_what_its_key_may(self):
        socket = self.socket("worker", 1)
        ready = cqw.Worker.ready_body
        probe = type("Probe", (), {"life": uuid.uuid4(), "name": "w", "credit": 1, "urgent": 0, "group": 1})()
        for kinds, command in ((["noop", "issue"], cqw.ERROR), (["noop"], cqw.WELCOME)):
            probe.kinds = kinds
            answer = self.ask(socket, b"CQW1", ready(probe))
            self.assertEqual(answer[1][0], command, answer)
        socket.send_multipart([b"CQW1", bytes([cqw.BYE])])


if __name__ == "__main__":
    unittest.main()
