"""One broker, its clients, and workers by hand (cqw.py), for the tests of the broker."""
import json
import unittest
import urllib.request
import uuid

import zmq

import cqw
from harness import Stack

DONE = {"n": 1}


class BrokerCase(unittest.TestCase):
    """One broker for the class; each test ends the jobs it makes."""
    options = {}

    @classmethod
    def setUpClass(cls):
        cls.stack = Stack(attempts=3, **cls.options)
        cls.addClassCleanup(cls.stack.close)
        cls.stack.prepare()
        cls.broker = cls.stack.start_broker()

    @classmethod
    def tearDownClass(cls):
        assert cls.broker.stop() == 0, cls.broker.log()[-3000:]

    def setUp(self):
        self.addCleanup(self.clean)
        self.client = self.stack.client()
        self.addCleanup(self.client.close)

    def clean(self):
        """A test that failed half-way leaves nothing to the next."""
        ids = [str(uuid.UUID(row[0])) for row in self.stack.sql("SELECT HEX(id) FROM job")]
        if ids and self.broker.alive():
            with self.stack.client() as client:
                client.call01("certq.job", json.dumps({"op": "cancel", "ids": ids[:100]}).encode())

    def worker(self, *kinds, **options):
        worker = cqw.Worker(f"tcp://127.0.0.1:{self.stack.ports[0][1]}", kinds or ("noop",), **options)
        self.addCleanup(lambda: worker.stopping or worker.bye())
        self.assertTrue(worker.wait(lambda: worker.welcomes), worker.errors)
        return worker

    def finish(self, worker, group, result=DONE):
        cqw.complete(self.stack, group, result=result)
        worker.report(group, result=result)

    def dealer(self):
        socket = zmq.Context.instance().socket(zmq.DEALER)
        socket.linger = 0
        socket.connect(self.client.endpoint)
        self.addCleanup(socket.close)
        return socket

    def ask(self, socket, *frames, seconds=20):
        socket.send_multipart(list(frames))
        self.assertTrue(socket.poll(seconds * 1000), f"no answer to {frames[:3]}")
        return socket.recv_multipart()

    def op(self, service, **body):
        return json.loads(self.client.call01(service, json.dumps(body).encode())[0])

    def state(self, id):
        hexid = uuid.UUID(id).hex
        rows = self.stack.sql(f"SELECT 'job' FROM job WHERE id = 0x{hexid} UNION ALL "
                              f"SELECT state FROM job_history WHERE id = 0x{hexid}")
        return [row[0] for row in rows]

    def metric(self, name):
        text = urllib.request.urlopen(f"http://127.0.0.1:{self.stack.ports[0][2]}/metrics").read().decode()
        return next(int(line.split()[-1]) for line in text.splitlines()
                    if line.startswith(name + " ") or line.startswith(name + "{"))
