"""What fault tests need: load that does not give up, a line that can be cut, and a count of what became
of every accepted job."""
import collections
import json
import random
import selectors
import socket
import threading
import time

import zmq

from harness import PATIENCE, free_port, new_id, until
from people import CODE, OPERATOR, all_mails, hashed, uuid_hex

PASSWORD = hashed("load", ln=10)


def issue_args(address):
    return {"product": "association", "by": OPERATOR, "password": PASSWORD,
            "subscriber": {"email": address, "language": "ja",
                           "name": {"ja": "〇〇 花子", "latin": "Hanako Maru"},
                           "organisation": {"ja": "〇〇株式会社", "latin": "Maru Co Ltd"}}}


class Load:
    """
    Issues jobs on a thread of its own, `outstanding` at a time, over all brokers in turn, as a client
    should (docs/protocol.md 2.2): the same bytes again after silence, to another broker; slower after `busy`
    and `unavailable`. accepted and ended are filled as answers come.
    """

    def __init__(self, stack, outstanding=60, kind="issue", most=None, args=issue_args, prefix="load"):
        self.kind, self.args, self.prefix, self.most = kind, args, prefix, most
        self.outstanding = outstanding
        self.sent, self.accepted, self.ended = {}, set(), {}
        self.open = collections.OrderedDict()  # id -> [when to repeat, socket it went to]
        self.endpoints = [stack.endpoint(at) for at in range(len(stack.ports))]
        self.wanted, self.failed = True, None
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def stop(self):
        """No new jobs; what was sent goes on."""
        self.wanted = False

    def wait_for(self, count, seconds=PATIENCE):
        """Until so many jobs have ended."""
        until(f"{count} jobs done (now {len(self.ended)})", lambda: len(self.ended) >= count or self._broken(), seconds)

    def wait_accepted(self, count, seconds=PATIENCE):
        until(f"{count} jobs accepted", lambda: len(self.accepted) >= count or self._broken(), seconds)

    def finish(self, seconds=2 * PATIENCE):
        """Until everything that was sent has ended; returns {id: end}."""
        self.stop()
        self.thread.join(seconds)
        self._broken()
        if self.thread.is_alive():
            left = list(self.open)[:5]
            raise AssertionError(f"{len(self.open)} of {len(self.sent)} jobs have no end, such as {left}")
        return self.ended

    def _broken(self):
        if self.failed:
            raise AssertionError(f"load: {self.failed}")

    def _run(self):
        context = zmq.Context()
        sockets = []
        try:
            for endpoint in self.endpoints:
                s = context.socket(zmq.DEALER)
                s.linger = 0
                s.sndtimeo = 0
                s.connect(endpoint)
                sockets.append(s)
            poller = zmq.Poller()
            for s in sockets:
                poller.register(s, zmq.POLLIN)
            while self.wanted or self.open:
                self._feed(sockets)
                for s, _ in poller.poll(20):
                    self._drain(s)
                self._repeat(sockets)
                if self.most and len(self.sent) >= self.most:
                    self.wanted = False
        except Exception as error:  # told by the next wait or finish()
            self.failed = repr(error)
        finally:
            context.destroy(0)

    def _feed(self, sockets):
        while self.wanted and len(self.open) < self.outstanding and (
                not self.most or len(self.sent) < self.most):
            id, address = new_id(), f"{self.prefix}-{len(self.sent)}@example.jp"
            self.sent[id] = json.dumps({"id": id, "args": self.args(address)},
                                       ensure_ascii=False).encode()
            self._send(id, sockets, len(self.sent) % len(sockets))

    def _send(self, id, sockets, at):
        try:
            sockets[at].send_multipart([b"MDPC02", b"\x01", self.kind.encode(), self.sent[id]])
        except zmq.Again:
            pass  # as good as silence
        self.open[id] = [time.monotonic() + (10 if id in self.accepted else 3), at]

    def _drain(self, s):
        for _ in range(200):
            try:
                frames = s.recv_multipart(zmq.NOBLOCK)
            except zmq.Again:
                return
            answer = json.loads(frames[3])
            id = answer.get("id")
            if answer["state"] == "accepted":
                self.accepted.add(id)
                if id in self.open:
                    self.open[id][0] = time.monotonic() + 10
            elif answer["state"] == "rejected":
                if answer["error"]["code"] not in ("busy", "unavailable"):
                    raise AssertionError(answer)
                if id in self.open:
                    self.open[id][0] = time.monotonic() + random.uniform(0.2, 0.6)
            else:
                self.accepted.add(id)
                self.ended[id] = answer
                self.open.pop(id, None)

    def _repeat(self, sockets):
        now = time.monotonic()
        for id in [id for id, (when, _) in self.open.items() if when <= now]:
            self._send(id, sockets, (self.open[id][1] + 1) % len(sockets))


def check_exactly_once(test, stack, *loads, mails=True):
    """
    I1 to I3 and X1: every job sent by `loads` has one end, one history row, one application, certificate,
    audit line and mail; nothing else is there and nothing waits.
    """
    ids = {id for load in loads for id in load.ended}
    bad = [a for load in loads for a in load.ended.values() if a["state"] != "done"]
    test.assertEqual(bad[:3], [])
    until("no job row is left", lambda: stack.count("job") == 0, 2 * PATIENCE)
    rows = stack.sql("SELECT LOWER(HEX(id)), state FROM job_history WHERE kind = 'issue'")
    history = {id: state for id, state in rows}
    missing = [id for id in ids if history.get(uuid_hex(id)) != "done"]
    test.assertEqual(missing[:3], [], f"{len(missing)} accepted jobs are missing")
    test.assertEqual({i for i in history} - {uuid_hex(i) for i in ids}, set())
    jobs = collections.Counter(r[0] for r in stack.sql("SELECT LOWER(HEX(job)) FROM application"))
    test.assertEqual(set(jobs), {uuid_hex(id) for id in ids})
    test.assertEqual([j for j, n in jobs.items() if n != 1], [])
    test.assertEqual(stack.count("certificate"), len(ids))
    test.assertEqual(stack.sql("SELECT COUNT(*), COUNT(DISTINCT subject) FROM audit "
                               "WHERE event = 'application.accepted'"), [[str(len(ids))] * 2])
    results = {id: answer["result"]["certificate"] for load in loads for id,
               answer in load.ended.items()
               if "result" in answer}
    kept = dict(stack.sql("SELECT LOWER(HEX(job)), LOWER(HEX(certificate)) FROM application"))
    test.assertEqual([i for i, c in results.items() if kept[uuid_hex(i)] != uuid_hex(c)], [])
    if mails:
        check_mails(test, stack, len(ids))


def check_mails(test, stack, count):
    """One code mail for each certificate; repeats are the same mail (X1, I5)."""
    test.assertEqual(stack.sql("SELECT state, COUNT(*) FROM mail GROUP BY state"),
                     [["sent", str(count)]])
    test.assertEqual(stack.count("mail", "certificate IS NOT NULL"), count)
    kept = all_mails(stack)
    test.assertEqual(len(kept), count)
    codes = collections.Counter()
    for address, messages in kept.items():
        test.assertEqual(len(set(messages)), 1, f"{address} got different mails")
        codes[CODE.search(messages[0][1]).group()] += 1
    test.assertEqual(max(codes.values()), 1, "one code went to two people")
    ids = {m[0][0] for m in kept.values()}
    test.assertEqual(len(ids), count)
    rows = {f"<{r[0].strip('<>')}>" for r in stack.sql("SELECT message_id FROM mail")}
    test.assertEqual(ids, rows)


class Line:
    """
    A TCP line to a port that can be cut and held: hold() keeps what the far client says from the server
    (for ever, if it is then cut), release() lets it through.
    """

    def __init__(self, port):
        self.port, self.target = free_port(), port
        self.holding, self.closed = False, False
        self.pairs, self.lock = [], threading.Lock()
        self.listener = socket.create_server(("127.0.0.1", self.port))
        threading.Thread(target=self._accept, daemon=True).start()

    def hold(self):
        self.holding = True

    def release(self):
        self.holding = False

    def cut(self):
        """Drops all connections, and what is held with them."""
        with self.lock:
            for pair in self.pairs:
                for s in pair:
                    try:
                        s.shutdown(socket.SHUT_RDWR)
                    except OSError:
                        pass
            self.pairs.clear()

    def close(self):
        self.closed = True
        self.listener.close()
        self.cut()

    def _accept(self):
        while not self.closed:
            try:
                near, _ = self.listener.accept()
                far = socket.create_connection(("127.0.0.1", self.target))
            except OSError:
                if self.closed:
                    return
                continue
            with self.lock:
                self.pairs.append((near, far))
            for source, sink, up in ((near, far, True), (far, near, False)):
                threading.Thread(target=self._copy, args=(source, sink, up), daemon=True).start()

    def _copy(self, source, sink, up):
        waiting = bytearray()
        with selectors.DefaultSelector() as selector:
            selector.register(source, selectors.EVENT_READ)
            try:
                while not self.closed:
                    if selector.select(0.02):
                        data = source.recv(65536)
                        if not data:
                            break
                        waiting += data
                    if waiting and not (up and self.holding):
                        sink.sendall(waiting)
                        waiting.clear()
            except OSError:
                pass
        for s in (source, sink):
            try:
                s.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass


def worker_over(stack, line, kinds, name, **options):
    """A worker whose only way to the broker is `line`."""
    config = stack.config_path().read_text()
    workers = f"workers: 'tcp://127.0.0.1:{stack.ports[0][1]}'"
    assert workers in config
    path = stack.folder / f"{name}.yaml"
    path.write_text(config.replace(workers, f"workers: 'tcp://127.0.0.1:{line.port}'"))
    from harness import BUILD
    process = stack.start(name, [BUILD / "workers" / "certq-worker", "--config", path, "--kinds", kinds,
                                 "--name", name], **options)
    process.wait_line(r"ev=broker\.joined")
    return process
