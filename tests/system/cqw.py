"""A worker that speaks CQW/1 (docs/protocol.md section 7), written from its text: for tests of the
broker, where a worker must die, lie, be silent or send garbage at the right moment.

It keeps no promise by itself: `Worker.jobs` receives groups, and the test reports what it likes.
`complete` does to the database what a real worker's transaction does.
"""
import json
import struct
import threading
import time
import uuid

import zmq

from harness import until

READY, WELCOME, JOBS, REPORT, HEARTBEAT, DRAIN, BYE, ERROR = range(1, 9)
DONE, REFUSED, FAILED, BUSY, UNSEEN, FINISHED, STALE = range(7)


def _bytes(value):
    if isinstance(value, str):
        value = value.encode()
    return struct.pack(">I", len(value)) + value


class Reader:
    def __init__(self, data):
        self.data, self.at = data, 0

    def raw(self, n):
        if self.at + n > len(self.data):
            raise ValueError("short body")
        value = self.data[self.at:self.at + n]
        self.at += n
        return value

    def number(self, form):
        return struct.unpack(">" + form, self.raw(struct.calcsize(form)))[0]

    def bytes(self):
        return self.raw(self.number("I"))

    def id(self):
        return str(uuid.UUID(bytes=self.raw(16)))


class Job:
    def __init__(self, r):
        self.id, self.slot, self.priority, self.rank, self.run_at = (
            r.id(), r.number("H"), r.number("B"), r.number("q"), r.number("q"))
        self.attempt, self.failures, self.crashes, self.created = (
            r.number("I"), r.number("I"), r.number("I"), r.number("q"))
        self.parent, self.fingerprint = r.id(), r.raw(32)
        self.client, self.args = r.bytes().rstrip(b"\0").decode(), json.loads(r.bytes() or b"{}")


class Group:
    def __init__(self, body):
        r = Reader(body)
        r.raw(1)
        self.id, self.kind, self.flags = r.id(), r.bytes().decode(), r.number("B")
        self.urgent, self.durable = bool(self.flags & 1), bool(self.flags & 2)
        self.deadline_ms = r.number("I")
        self.jobs = [Job(r) for _ in range(r.number("I"))]
        assert r.at == len(body), "bytes left over in JOBS"

    def __repr__(self):
        return f"<group {self.kind} of {len(self.jobs)}>"


def pack_job(kind, id, slot, priority, rank, run_at, created, args, client="local", attempt=0,
             parent=None, fingerprint=bytes(32)):
    """A follow-up as it stands in REPORT: kind, then the job."""
    return (_bytes(kind) + uuid.UUID(id).bytes + struct.pack(">HBqqIIIq", slot, priority, rank, run_at,
            attempt, 0, 0, created) + (uuid.UUID(parent).bytes if parent else bytes(16)) + fingerprint
            + _bytes(client.encode() + b"\0") + _bytes(json.dumps(args)))


class Worker:
    """One life. A thread sends heartbeats and puts groups aside; `take` waits for one."""

    def __init__(self, endpoint, kinds=("noop",), name="python", credit=2, urgent=1, group=100,
                 life=None, beat=True):
        self.life = life or uuid.uuid4()
        self.name, self.kinds = name, list(kinds)
        self.credit, self.urgent, self.group = credit, urgent, group
        self.groups, self.held, self.errors, self.welcomes = [], [], [], 0
        self.epoch, self.shift, self.beating, self.drained = 0, 0, beat, False
        self.changed = threading.Condition()
        self.socket = zmq.Context.instance().socket(zmq.DEALER)
        self.socket.linger = 0
        self.socket.connect(endpoint)
        self.outbox = []
        self.stopping, self.socket_linger = False, 0
        self.send(self.ready_body())
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    # --- bodies ---

    def ready_body(self):
        return (bytes([READY]) + self.life.bytes + _bytes(self.name) + _bytes("localhost")
                + struct.pack(">IHHH", 1, self.credit, self.urgent, self.group)
                + struct.pack(">H", len(self.kinds)) + b"".join(map(_bytes, self.kinds)))

    def heartbeat_body(self):
        return (bytes([HEARTBEAT]) + struct.pack(">qqI", self.shift, self.epoch, len(self.held))
                + b"".join(uuid.UUID(g).bytes for g in self.held))

    # --- life ---

    def send(self, body):
        """From any thread; goes out within 20 ms."""
        with self.changed:
            self.outbox.append(body)

    def _run(self):
        due = time.monotonic() + 1
        while not self.stopping:
            with self.changed:
                outbox, self.outbox = self.outbox, []
            for body in outbox:
                self.socket.send_multipart([b"CQW1", body])
            if self.beating and time.monotonic() >= due:
                due = time.monotonic() + 1
                with self.changed:
                    body = self.heartbeat_body()
                self.socket.send_multipart([b"CQW1", body])
            if self.socket.poll(20):
                self._take_message(self.socket.recv_multipart())
        self.socket.close(linger=self.socket_linger)

    def _take_message(self, frames):
        assert frames[0] == b"CQW1" and len(frames) == 2, frames
        body = frames[1]
        with self.changed:
            if body[0] == JOBS:
                group = Group(body)
                self.groups.append(group)
                self.held.append(group.id)
            elif body[0] == WELCOME:
                self.welcomes += 1
            elif body[0] == HEARTBEAT:
                r = Reader(body)
                r.raw(1)
                self.shift, epoch = r.number("q"), r.number("q")
                if epoch != self.epoch:
                    self.epoch = epoch
                    self.outbox.append(self.heartbeat_body())
            elif body[0] == ERROR:
                r = Reader(body)
                r.raw(1)
                self.errors.append((r.bytes().decode(), r.bytes().decode()))
                if self.errors[-1][0] == "unknown-worker" and self.beating:
                    self.outbox.append(self.ready_body())
            elif body[0] == DRAIN:
                self.drained = True
            self.changed.notify_all()

    def take(self, seconds=20):
        """The next group; None when there is none in time."""
        with self.changed:
            self.changed.wait_for(lambda: self.groups, seconds)
            return self.groups.pop(0) if self.groups else None

    def wait(self, predicate, seconds=20):
        with self.changed:
            return self.changed.wait_for(predicate, seconds)

    def die(self):
        """Like SIGKILL: no BYE, no heartbeat."""
        self.stopping = True
        self.thread.join()

    def bye(self):
        """Takes its leave."""
        self.beating = False
        self.send(bytes([BYE]))
        until("the outbox is sent", lambda: not self.outbox, 5)
        self.socket_linger = 1000
        self.die()

    # --- reports ---

    def report(self, group, outcome=DONE, result=None, results=None, followups=(), keep=False):
        """results: {id: (outcome, object or bytes)} instead of one outcome for all."""
        rows = b""
        results = results if results is not None else {j.id: (outcome, result) for j in group.jobs}
        for id, (code, value) in results.items():
            text = b"" if value is None else value if isinstance(value, bytes) else json.dumps(value)
            rows += uuid.UUID(id).bytes + bytes([code]) + _bytes(text)
        with self.changed:
            if not keep and group.id in self.held:
                self.held.remove(group.id)
            self.outbox.append(bytes([REPORT]) + uuid.UUID(group.id).bytes
                               + struct.pack(">I", len(results)) + rows
                               + struct.pack(">I", len(followups)) + b"".join(followups))

    def drop(self, group):
        """Forgets the group: heartbeats do not list it any more."""
        with self.changed:
            self.held.remove(group.id)


def complete(stack, group, state="done", result=None, ids=None):
    """What a worker's transaction does to the queue: the row goes to history, if it is still there."""
    for id in ids or [j.id for j in group.jobs]:
        hexid, groupid = uuid.UUID(id).hex, uuid.UUID(group.id).hex
        text = json.dumps(result or {}).replace("'", "''")
        names = "id, kind, {}client, fingerprint, {}attempt, failures, crashes, parent, created_ms, run_at_ms{}"
        to = names.format("state, ", "group_id, ", ", finished_ms, result")
        values = names.format(f"'{state}', ", f"0x{groupid}, ", f", run_at_ms, '{text}'")
        stack.sql(f"START TRANSACTION; INSERT INTO job_history ({to}) SELECT {values} FROM job "
                  f"WHERE id = 0x{hexid}; DELETE FROM job WHERE id = 0x{hexid}; COMMIT")
