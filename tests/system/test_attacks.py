"""What a key that is listed must not reach: another client's answers, another worker's groups (I12)."""
import json
import unittest
import uuid

import zmq

import cqw
from harness import Stack, new_id, until

CLIENTS = (("upstream", "noop, issue", "false"), ("reader", "noop", "false"), ("operator", "noop", "true"))
WORKERS = (("signer", "noop, issue"), ("helper", "noop"))


def job_result(id):
    return uuid.UUID(id).bytes + bytes([cqw.DONE]) + b"\0\0\0\2{}"


class Attacks(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        names = ["broker", *(row[0] for row in CLIENTS + WORKERS)]
        cls.keys = {name: [k.decode() for k in zmq.curve_keypair()] for name in names}
        clients = "\n".join(f"    - {{name: {name}, key: '{cls.keys[name][0]}', kinds: [{kinds}], operator: {flag}}}"
                            for name, kinds, flag in CLIENTS)
        workers = "\n".join(f"    - {{name: {name}, key: '{cls.keys[name][0]}', kinds: [{kinds}]}}"
                            for name, kinds in WORKERS)
        cls.stack = Stack(attempts=3, broker_extra=f"  curve_key: keys/broker.curve\n  client_keys:\n{clients}\n"
                                                   f"  worker_keys:\n{workers}")
        cls.addClassCleanup(cls.stack.close)
        cls.stack.encrypt(cls.keys)
        cls.stack.prepare()
        cls.broker = cls.stack.start_broker()

    @classmethod
    def tearDownClass(cls):
        assert cls.broker.stop() == 0, cls.broker.log()[-3000:]

    def socket(self, name, port=0):
        socket = zmq.Context.instance().socket(zmq.DEALER)
        socket.linger = 0
        socket.curve_publickey, socket.curve_secretkey = (k.encode() for k in self.keys[name])
        socket.curve_serverkey = self.keys["broker"][0].encode()
        socket.connect(f"tcp://127.0.0.1:{self.stack.ports[0][port]}")
        self.addCleanup(socket.close)
        return socket

    def send(self, socket, service, **body):
        socket.send_multipart([b"MDPC02", b"\x01", service.encode(), json.dumps(body).encode()])

    def hear(self, socket, seconds=10):
        """The next answer, None when there is none in time."""
        return json.loads(socket.recv_multipart()[-1]) if socket.poll(int(seconds * 1000)) else None

    def ready(self, socket, life, kinds, name="w"):
        probe = type("Probe", (), {"life": life, "name": name, "credit": 1, "urgent": 0, "group": 10, "kinds": kinds})()
        socket.send_multipart([b"CQW1", cqw.Worker.ready_body(probe)])
        assert socket.poll(10000)
        return socket.recv_multipart()[1]

    def test_a_life_belongs_to_the_key_it_began_with(self):
        signer, helper, client = self.socket("signer", 1), self.socket("helper", 1), self.socket("upstream")
        life = uuid.uuid4()
        self.assertEqual(self.ready(signer, life, ["issue"], "signer")[0], cqw.WELCOME)
        self.send(client, "issue", id=new_id(), args={})
        self.assertEqual(self.hear(client)["state"], "accepted")
        until("the signer has a group", lambda: signer.poll(1000) and signer.recv_multipart()[1][0] == cqw.JOBS)
        answer = self.ready(helper, life, ["noop"], "helper")
        self.assertEqual(answer[0], cqw.ERROR, answer)
        self.assertIn(b"another key", answer)
        self.send(self.operator(), "certq.worker", op="list")
        row = self.hear(self.chief)["result"]["workers"][0]
        self.assertEqual((row["name"], row["kinds"], row["groups"]), ("signer", ["issue"], 1))
        signer.send_multipart([b"CQW1", bytes([cqw.BYE])])

    def test_a_report_words_no_job_of_another_kind(self):
        """A worker that may do noop reports its job as done, and a follow-up in its place: same row, another job."""
        helper, client, life = self.socket("helper", 1), self.socket("upstream"), uuid.uuid4()
        signer = self.socket("signer", 1)
        self.assertEqual(self.ready(signer, uuid.uuid4(), ["issue"], "signer")[0], cqw.WELCOME)
        self.assertEqual(self.ready(helper, life, ["noop"], "helper")[0], cqw.WELCOME)
        id = new_id()
        self.send(client, "noop", id=id)
        self.assertEqual(self.hear(client)["state"], "accepted")
        group = cqw.Group(self.next(helper, cqw.JOBS))
        job = group.jobs[0]
        evil = cqw.pack_job("issue", id, job.slot, 5, job.rank, job.run_at, job.created, {"by": {"role": "operator"}},
                            client="operator", attempt=job.attempt)
        helper.send_multipart([b"CQW1", bytes([cqw.REPORT]) + uuid.UUID(group.id).bytes + b"\0\0\0\1" + job_result(id)
                               + b"\0\0\0\1" + evil])
        # What comes next is the row as it is: noop, to who may do noop.
        again = cqw.Group(self.next(helper, cqw.JOBS))
        self.assertEqual((again.kind, again.jobs[0].id, again.jobs[0].client), ("noop", id, "upstream"))
        for socket in (helper, signer):
            socket.send_multipart([b"CQW1", bytes([cqw.BYE])])

    def next(self, worker, command):
        return until("the broker sends it", lambda: worker.poll(1000) and next(
            (f for f in [worker.recv_multipart()[1]] if f[0] == command), None))

    def operator(self):
        self.chief = self.socket("operator")
        return self.chief


if __name__ == "__main__":
    unittest.main()
