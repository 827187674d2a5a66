"""The broker from outside: protocols by frames written from the RFCs' text, bad input, order. Nothing here needs
certq-worker. What becomes of jobs: test_broker_outcomes.py; keys: test_broker_rights.py; adoption, bounded memory and the
database going away: test_broker_faults.py."""
import contextlib
import json
import threading
import unittest
import urllib.request
import uuid

import zmq

import cqw
from broker_case import DONE, BrokerCase
from harness import new_id, until


class Protocols(BrokerCase):
    def test_02_gives_partial_then_final(self):
        worker = self.worker()
        socket = self.dealer()
        id = new_id()
        body = json.dumps({"id": id, "args": {"a": 1}}).encode()
        self.assertEqual(self.ask(socket, b"MDPC02", b"\x01", b"noop", body)[:3], [b"MDPC02", b"\x02", b"noop"])
        self.assertEqual(self.state(id), ["job"])  # I1: in the table before the answer
        group = worker.take()
        self.assertEqual([(j.id, j.args, j.attempt) for j in group.jobs], [(id, {"a": 1}, 0)])
        self.finish(worker, group)
        self.assertTrue(socket.poll(20000))
        frames = socket.recv_multipart()
        self.assertEqual(frames[:3], [b"MDPC02", b"\x03", b"noop"])
        self.assertEqual(json.loads(frames[3]), {"id": id, "state": "done", "result": DONE})

    def test_a_leading_empty_frame_is_mirrored(self):
        body = json.dumps({"id": new_id()}).encode()
        frames = self.ask(self.dealer(), b"", b"MDPC02", b"\x01", b"no-such", body)
        self.assertEqual(frames[:4], [b"", b"MDPC02", b"\x03", b"no-such"])

    def test_01_gives_one_final_answer(self):
        worker = self.worker()
        answers = []
        id = new_id()
        thread = threading.Thread(
            target=lambda: answers.extend(self.client.call01("noop", json.dumps({"id": id}).encode())))
        thread.start()
        self.finish(worker, worker.take())
        thread.join()
        self.assertEqual([json.loads(a) for a in answers], [{"id": id, "state": "done", "result": DONE}])
        # The same again, from another connection: the same answer, and it is not done again.
        again = self.client.call01("noop", json.dumps({"id": id}).encode())
        self.assertEqual(json.loads(again[0])["state"], "done")
        self.assertIsNone(worker.take(0.3))

    def test_01_far_ahead_is_accepted(self):
        id = new_id()
        answer = self.client.call01("noop", json.dumps({"id": id, "at": "2099-01-01T00:00:00Z"}).encode())
        self.assertEqual(json.loads(answer[0]), {"id": id, "state": "accepted"})
        self.assertEqual(self.op("certq.job", op="cancel", ids=[id])["result"]["jobs"],
                         [{"id": id, "state": "cancelled"}])

    def test_mmi(self):
        self.assertEqual(self.client.call01("mmi.service", b"revoke"), [b"404"])
        self.worker("revoke")
        self.assertEqual(self.client.call01("mmi.service", b"revoke"), [b"200"])
        self.assertEqual(self.client.call01("mmi.service"), [b"404"])
        self.assertEqual(self.client.call01("mmi.brokers", b"x"), [b"501"])

    def test_titanic(self):
        call = self.client.call01
        id = new_id()
        hexid = uuid.UUID(id).hex.encode()
        body = json.dumps({"id": id, "args": {}}).encode()
        self.assertEqual(call("titanic.request", b"noop", body), [b"200", hexid])
        self.assertEqual(call("titanic.request", b"noop", body), [b"200", hexid])  # idempotent
        self.assertEqual(call("titanic.reply", hexid), [b"300"])
        worker = self.worker()
        self.finish(worker, worker.take())
        until("reply", lambda: call("titanic.reply", hexid)[0] == b"200")
        answer = call("titanic.reply", id.encode())  # the long form too
        self.assertEqual(json.loads(answer[1]), {"id": id, "state": "done", "result": DONE})
        self.assertEqual(call("titanic.request", b"noop", body), [b"200", hexid])  # ended: the same
        self.assertEqual(call("titanic.close", hexid), [b"200"])
        self.assertEqual(call("titanic.reply", hexid), [b"400"])
        self.assertEqual(call("titanic.close", uuid.uuid4().hex.encode()), [b"200"])
        self.assertEqual(call("titanic.reply", uuid.uuid4().hex.encode()), [b"400"])
        self.assertEqual(call("titanic.reply", b"no id")[0], b"400")
        self.assertEqual(call("titanic.request", b"noop")[0], b"400")
        self.assertEqual(call("titanic.request", b"lookup", body)[0], b"400")
        status, error = call("titanic.request", b"noop", b"{")
        self.assertEqual((status, json.loads(error)["error"]["code"]), (b"400", "bad-request"))
        self.assertEqual(call("titanic.other", b""), [b"501"])

    def test_titanic_without_id_makes_a_job_each(self):
        first, second = (self.client.call01("titanic.request", b"noop", b"{}") for _ in range(2))
        self.assertEqual((first[0], second[0]), (b"200", b"200"))
        self.assertNotEqual(first[1], second[1])
        ids = [str(uuid.UUID(a[1].decode())) for a in (first, second)]
        self.assertEqual(self.client.call01("titanic.close", first[1]), [b"200"])  # pending: unwanted
        worker = self.worker()
        left = 2
        while left:
            group = worker.take()
            left -= len(group.jobs)
            self.finish(worker, group)
        until("closed", lambda: self.stack.sql(
            f"SELECT closed, result IS NULL FROM job_history WHERE id = 0x{uuid.UUID(ids[0]).hex}") == [["1", "1"]])

    def test_a_repeat_waits_with_the_first(self):
        id = self.client.submit("noop", {"k": 1.0})
        self.assertEqual(self.client.accepted(id)["state"], "accepted")
        with self.stack.client() as other:
            other.send("noop", {"args": {"k": 1}, "id": id.upper(), "priority": 7})  # the same content
            self.assertEqual(other.accepted(id)["state"], "accepted")
            other.send("noop", {"id": id, "args": {"k": 2}})
            self.assertEqual(other.done(id)["error"]["code"], "conflict")
            other.final.clear()
            worker = self.worker()
            self.finish(worker, worker.take())
            self.assertEqual(other.done(id), self.client.done(id))
        self.client.final.clear()
        self.client.send("noop", {"id": id, "args": {"k": 3}})  # ended, and still taken
        self.assertEqual(self.client.done(id)["error"]["code"], "conflict")

    def test_lookups_need_no_row(self):
        worker = self.worker("lookup")
        self.client.send("lookup", {"args": {"email": "hanako@example.jp"}})
        group = worker.take()
        self.assertFalse(group.durable)
        self.assertEqual(self.state(group.jobs[0].id), [])
        worker.die()  # its worker is lost: another gets it
        second = self.worker("lookup")
        again = second.take(30)
        self.assertEqual(again.jobs[0].id, group.jobs[0].id)
        second.report(again, cqw.REFUSED, {"code": "unknown", "message": "no such certificate"})
        answer = self.client.done(again.jobs[0].id)
        self.assertEqual((answer["state"], answer["error"]["code"]), ("refused", "unknown"))

    def test_plain_secrets_are_sealed_before_they_are_stored(self):
        id = self.client.submit("issue", {"password": "open sesame", "note": {"new": "other secret"}})
        self.assertEqual(self.client.accepted(id)["state"], "accepted")
        args = self.stack.sql(f"SELECT CONVERT(args USING utf8mb4) FROM job WHERE id = 0x{uuid.UUID(id).hex}")[0][0]
        self.assertNotIn("sesame", args)
        self.assertNotIn("other secret", args)
        self.assertIn("sealed", json.loads(args)["password"])
        self.assertIn("sealed", json.loads(args)["note"]["new"])
        self.client.send("issue", {"id": id, "args": {"password": "another", "note": {"new": "x"}}})
        self.assertEqual(self.client.accepted(id)["state"], "accepted")  # secrets are no content
        self.op("certq.job", op="cancel", ids=[id])

    def test_closing_what_another_broker_holds_is_not_said_to_be_done(self):
        near = self.client.submit("noop", {})
        self.assertEqual(self.client.accepted(near)["state"], "accepted")
        far = uuid.UUID(new_id()).hex  # of a slot that no broker leases
        self.stack.sql("INSERT INTO job (id, slot, `rank`, kind, priority, run_at_ms, args, fingerprint, client, "
                       f"created_ms) SELECT 0x{far}, 999, `rank`, kind, priority, run_at_ms, "
                       f"args, fingerprint, client, created_ms FROM job WHERE id = 0x{uuid.UUID(near).hex}")
        status, error = self.client.call01("titanic.close", far.encode())
        self.assertEqual((status, json.loads(error)["error"]["code"]), (b"500", "unavailable"))
        self.assertEqual(self.client.call01("titanic.close", uuid.UUID(near).hex.encode()), [b"200"])


class BadInput(BrokerCase):
    def test_each_sort_is_refused_and_the_next_request_is_served(self):
        socket = self.dealer()
        id = new_id()
        ok = json.dumps({"id": id}).encode()
        old = str(uuid.UUID(int=(10 << 80) | (7 << 76) | (2 << 62)))
        v2 = [b"MDPC02", b"\x01"]
        rows = [
            ("unknown kind", [*v2, b"nope", ok], "unknown-kind"),
            ("unknown service", [*v2, b"certq.nope", ok], "unknown-kind"),
            ("internal kind", [*v2, b"mail", ok], "forbidden"),
            ("no body", [*v2, b"noop"], "bad-request"),
            ("two bodies", [*v2, b"noop", ok, ok], "bad-request"),
            ("too many frames", [*v2, b"noop", *[b"x"] * 30], "too-large"),
            ("another command", [b"MDPC02", b"\x02", b"noop", ok], "bad-request"),
            ("0.1 without the empty frame", [b"MDPC01", b"noop", ok], "bad-request"),
            ("empty body", [*v2, b"noop", b""], "bad-request"),
            ("no JSON", [*v2, b"noop", b"hello"], "bad-request"),
            ("cut off", [*v2, b"noop", b'{"id":"'], "bad-request"),
            ("no UTF-8", [*v2, b"noop", b'{"id":"' + id.encode() + b'","args":{"a":"\xff"}}'], "bad-request"),
            ("no object", [*v2, b"noop", b"[]"], "bad-request"),
            ("deep", [*v2, b"noop", b'{"args":' * 5000], "bad-request"),
            ("twice", [*v2, b"noop", b'{"id":"%s","id":"%s"}' % (id.encode(), id.encode())], "bad-request"),
            ("no id", [*v2, b"noop", b'{"args":{}}'], "bad-request"),
            ("id no UUID", [*v2, b"noop", b'{"id":"x"}'], "bad-request"),
            ("id a number", [*v2, b"noop", b'{"id":5}'], "bad-request"),
            ("id before the retention", [*v2, b"noop", json.dumps({"id": old}).encode()], "bad-request"),
            ("unknown member", [*v2, b"noop", json.dumps({"id": id, "arg": {}}).encode()], "bad-request"),
            ("priority 10", [*v2, b"noop", json.dumps({"id": id, "priority": 10}).encode()], "bad-request"),
            ("no time", [*v2, b"noop", json.dumps({"id": id, "at": "tomorrow"}).encode()], "bad-request"),
            ("args no object", [*v2, b"noop", json.dumps({"id": id, "args": 3}).encode()], "bad-request"),
            ("too large", [*v2, b"noop", json.dumps({"id": id, "args": {"a": "x" * 65536}}).encode()], "too-large"),
            ("secret of a wrong form", [*v2, b"noop", json.dumps({"id": id, "args": {"password": 1}}).encode()],
             "bad-request"),
        ]
        for name, frames, code in rows:
            with self.subTest(name):
                answer = self.ask(socket, *frames)
                self.assertEqual(json.loads(answer[-1])["error"]["code"], code, answer)
                self.assertEqual(json.loads(answer[-1])["state"], "rejected")
        self.assertEqual(self.state(id), [])

    def test_what_cannot_be_answered_is_dropped_and_counted(self):
        socket = self.dealer()
        before = self.metric('certq_bad_input_total{what="frames"}')
        rows = [[b""], [b"", b""], [b"MDPC03", b"\x01", b"noop", b"{}"], [b"MDPC02"], [b"MDPC02", b"\x01"],
                [b"MDPC02", b"\x01", b""], [b"MDPC02", b"\x01", b"n" * 65, b"{}"],
                [b"MDPC02", b"\x01", b"no op", b"{}"], [b"\xff" * 100], [b"", b"MDPC01"]]
        for frames in rows:
            socket.send_multipart(frames)
        answer = self.ask(socket, b"MDPC02", b"\x01", b"noop", b"{}")  # the next one is served
        self.assertEqual(json.loads(answer[-1])["error"]["code"], "bad-request")
        self.assertEqual(self.metric('certq_bad_input_total{what="frames"}') - before, len(rows))

    def test_eight_mebibytes_end_the_connection_and_nothing_else(self):
        socket = self.dealer()
        body = json.dumps({"id": new_id(), "args": {"a": "x" * (8 << 20)}}).encode()
        socket.send_multipart([b"MDPC02", b"\x01", b"noop", body])  # beyond any limit: not even read
        self.assertEqual(self.client.call01("mmi.service", b"nope"), [b"404"])
        answer = self.ask(socket, b"MDPC02", b"\x01", b"noop", b"{}")  # it has reconnected by itself
        self.assertEqual(json.loads(answer[-1])["state"], "rejected")

    def test_operators_services_name_what_is_wrong(self):
        rows = [({}, "op"), ({"op": "nope"}, "op"), ({"op": 1}, "op"), ({"op": "list", "x": 1}, "x"),
                ({"op": "list", "limit": 0}, "limit"), ({"op": "list", "state": "x"}, "state"),
                ({"op": "list", "since": "x"}, "since"), ({"op": "show"}, "id"), ({"op": "show", "id": "x"}, "id"),
                ({"op": "cancel", "ids": []}, "ids"), ({"op": "cancel", "ids": ["x"]}, "ids"),
                ({"op": "list", "tag": "t" * 65}, "tag")]
        for body, word in rows:
            with self.subTest(str(body)[:60]):
                error = self.op("certq.job", **body)["error"]
                self.assertEqual(error["code"], "bad-request")
                self.assertTrue(error["message"].startswith(word), error)
        self.assertEqual(self.op("certq.job", op="show", id=new_id(), tag="t"),
                         {"error": {"code": "not-found", "message": "id: there is no such job"}, "tag": "t"})
        self.assertEqual(self.op("certq.inspect", op="cert.list")["error"]["code"], "unavailable")
        self.assertEqual(self.op("certq.worker", op="drain", name="nobody")["error"]["code"], "not-found")
        self.assertEqual(self.op("certq.queue", op="pause", kind="nope")["error"]["code"], "not-found")

    def test_garbage_on_the_workers_port(self):
        socket = zmq.Context.instance().socket(zmq.DEALER)
        self.addCleanup(socket.close, 0)
        socket.connect(f"tcp://127.0.0.1:{self.stack.ports[0][1]}")
        worker = self.worker()
        rows = [[b""], [b"CQW1"], [b"CQW1", b""], [b"CQW1", b"\xff"], [b"CQW1", b"\x01short"], [b"CQW2", b"\x05"],
                [b"CQW1", b"\x03" + bytes(40)], [b"CQW1", b"\x04" + bytes(100)], [b"x"] * 20]
        for frames in rows:
            with self.subTest(str(frames)[:40]):
                answer = self.ask(socket, *frames)
                self.assertEqual(answer[:1], [b"CQW1"])
                self.assertEqual(answer[1][0], cqw.ERROR)
        for body in (b"\x04garbage", b"\x05" + b"\xff" * 30, b"\x09"):  # from one that is known
            worker.send(body)
        self.assertTrue(worker.wait(lambda: len(worker.errors) == 3), worker.errors)
        id = self.client.submit("noop", {})
        self.finish(worker, worker.take())
        self.assertEqual(self.client.done(id)["state"], "done")


class Order(BrokerCase):
    def test_priorities(self):
        ids = {}
        for priority in (0, 5, 9, 8):
            ids[self.client.submit("noop", {}, priority=priority)] = priority
        for id in ids:
            self.client.accepted(id)
        worker = self.worker(credit=1, urgent=0, group=1)
        order = []
        for _ in ids:
            group = worker.take()
            order.append(ids[group.jobs[0].id])
            self.assertEqual(group.urgent, order[-1] == 9)
            self.finish(worker, group)
        self.assertEqual(order, [9, 8, 5, 0])

    def test_urgent_credit_is_kept(self):
        worker = self.worker(credit=1, urgent=1)
        first = self.client.submit("noop", {})
        busy = worker.take()
        waiting = self.client.submit("noop", {"n": 2})
        self.client.accepted(waiting)
        urgent = self.client.submit("noop", {"n": 3}, priority=9)
        group = worker.take()
        self.assertEqual([j.id for j in group.jobs], [urgent])
        self.assertIsNone(worker.take(0.3))
        self.finish(worker, group)
        self.finish(worker, busy)
        self.finish(worker, worker.take())
        for id in (first, waiting, urgent):
            self.assertEqual(self.client.done(id)["state"], "done")

    def test_groups_have_few_sealed_passwords(self):
        """Each costs a scrypt: I9. Those that are hashed, and kinds without secrets, go in large groups."""
        hashed = "$scrypt$ln=10,r=8,p=1$" + "A" * 22 + "$" + "A" * 43
        rows = [("issue", {"password": "open sesame"}, True), ("issue", {"note": {"n\u00e9w": 1}}, True),
                ("issue", {"password": {"scrypt": hashed}}, False), ("noop", {"text": "sealed"}, False)]
        for kind, args, is_slow in rows:
            with self.subTest(f"{kind} {args}"):
                self.op("certq.queue", op="pause", kind=kind)
                ids = [new_id() for _ in range(20)]
                for id in ids:
                    self.client.send(kind, json.dumps({"id": id, "args": args}).encode())  # escaped
                for id in ids:
                    self.assertEqual(self.client.accepted(id)["state"], "accepted")
                worker = self.worker(kind, credit=20)
                self.op("certq.queue", op="resume", kind=kind)
                sizes = []
                while sum(sizes) < 20:
                    group = worker.take()
                    sizes.append(len(group.jobs))
                    self.finish(worker, group)
                self.assertEqual(max(sizes), 8 if is_slow else 20, sizes)
                worker.bye()

    def test_pause_and_resume(self):
        worker = self.worker("decide")
        self.assertEqual(self.op("certq.queue", op="pause", kind="decide")["result"],
                         {"kind": "decide", "paused": True})
        id = self.client.submit("decide", {})
        self.assertEqual(self.client.accepted(id)["state"], "accepted")
        self.assertIsNone(worker.take(0.5))
        queue = next(q for q in self.op("certq.queue", op="list")["result"]["queues"] if q["kind"] == "decide")
        self.assertEqual((queue["paused"], queue["paused_by"], queue["waiting"], queue["ready"], queue["workers"]),
                         (True, "local", 1, 1, 1))
        self.op("certq.queue", op="resume", kind="decide")
        self.finish(worker, worker.take())
        self.assertEqual(self.client.done(id)["state"], "done")

    def test_scheduled_jobs_follow_the_test_clock(self):
        worker = self.worker()
        id = self.client.submit("noop", {}, at="2031-05-05T00:00:00+09:00")
        self.client.accepted(id)
        self.assertEqual(self.op("certq.job", op="show", id=id)["result"]["job"]["state"], "scheduled")
        self.assertIsNone(worker.take(0.3))
        clock = self.op("certq.clock", op="set", time="2031-05-04T14:59:59.5Z")["result"]
        self.assertTrue(clock["now"].startswith("2031-05-04T14:59:59"), clock)
        self.assertEqual(worker.epoch, clock["epoch"])  # set returns when workers have taken it
        group = worker.take()
        self.assertEqual(group.jobs[0].id, id)
        self.finish(worker, group)
        back = self.op("certq.clock", op="reset")["result"]
        self.assertEqual((back["shift_ms"], back["epoch"]), (0, clock["epoch"] + 1))
        self.assertEqual(self.op("certq.clock", op="show")["result"]["shift_ms"], 0)

    def test_cancel(self):
        worker = self.worker("crl")
        waiting = self.client.submit("noop", {"n": "cancel"})
        self.client.accepted(waiting)
        running = self.client.submit("crl", {})
        group = worker.take()
        unknown = new_id()
        jobs = self.op("certq.job", op="cancel", ids=[waiting, running, unknown])["result"]["jobs"]
        self.assertEqual([j.get("state") for j in jobs], ["cancelled", "running", None])
        self.assertEqual(jobs[2]["error"]["code"], "not-found")
        self.assertEqual(self.client.done(waiting), {"id": waiting, "state": "cancelled"})
        self.finish(worker, group)
        self.assertEqual(self.client.done(running)["state"], "done")
        self.assertEqual(self.op("certq.job", op="cancel", ids=[running])["result"]["jobs"][0]["state"], "done")

    def test_wait(self):
        id = self.client.submit("noop", {"n": "wait"})
        self.client.accepted(id)
        socket = self.dealer()
        body = json.dumps({"op": "wait", "id": id, "tag": "w"}).encode()
        first = self.ask(socket, b"MDPC02", b"\x01", b"certq.job", body)
        self.assertEqual(first[1], b"\x02")
        self.assertEqual(json.loads(first[3]), {"ok": True, "result": {"id": id, "state": "ready"}, "tag": "w"})
        worker = self.worker()
        self.finish(worker, worker.take())
        self.assertTrue(socket.poll(20000))
        last = socket.recv_multipart()
        self.assertEqual((last[1], json.loads(last[3])["result"]["state"]), (b"\x03", "done"))
        again = self.ask(socket, b"MDPC02", b"\x01", b"certq.job", body)  # ended: the FINAL alone
        self.assertEqual((again[1], json.loads(again[3])["result"]["result"]), (b"\x03", DONE))
        listed = self.op("certq.job", op="list", limit=1, kind="noop")["result"]
        self.assertEqual((len(listed["jobs"]), listed["more"]), (1, True))

    def test_workers_and_brokers_are_listed_and_drained(self):
        worker = self.worker("revoke", name="to-be-drained")
        listed = self.op("certq.worker", op="list")["result"]["workers"]
        self.assertIn(("to-be-drained", ["revoke"], "ready"), [(w["name"], w["kinds"], w["state"]) for w in listed])
        self.op("certq.worker", op="drain", name="to-be-drained")
        self.assertTrue(worker.wait(lambda: worker.drained))
        self.assertEqual(self.client.call01("mmi.service", b"revoke"), [b"404"])
        brokers = self.op("certq.broker", op="list")["result"]
        self.assertEqual([(b["name"], b["self"]) for b in brokers["brokers"]], [("broker-1", True)])

    def test_metrics_and_health(self):
        base = f"http://127.0.0.1:{self.stack.ports[0][2]}"
        text = urllib.request.urlopen(base + "/metrics").read().decode()
        self.assertIn("# TYPE certq_jobs_accepted_total counter", text)
        self.assertEqual(urllib.request.urlopen(base + "/healthz").status, 200)
        self.assertEqual(urllib.request.urlopen(base + "/readyz").status, 200)
        for path in ("/crl/person-ca.crl", "/crl/../../etc/passwd", "/nope", "/crl/nope.crl"):
            with self.assertRaises(urllib.error.HTTPError) as raised:
                urllib.request.urlopen(base + path)
            self.assertEqual(raised.exception.code, 404)
        self.stack.sql("INSERT INTO crl VALUES ('person-ca', 1, 0, 0, 0, 'bytes', 0x00)")

        def served():  # a broker that had none looks again after a second
            with contextlib.suppress(urllib.error.HTTPError):
                return urllib.request.urlopen(base + "/crl/person-ca.crl").read()
        self.assertEqual(until("the CRL", served), b"bytes")


if __name__ == "__main__":
    unittest.main()
