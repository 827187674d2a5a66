"""People for scripts/chaos: subscribers, banks' users, operators and idle jobs, each a generator that asks,
waits for mails and goes on, on one thread. A client of theirs behaves as docs/protocol.md 2.2 says: the
same bytes again after silence, to another broker; later after `busy` and `unavailable`."""
import collections
import datetime
import json
import random
import threading
import time

import zmq

from harness import SUBSCRIBER, make_key_and_csr, new_id
from people import CODE, OPERATOR, body_of, hashed, parse

ADDRESS = {"postal_code": "1000001", "prefecture": "東京都", "city": "千代田区", "street": "千代田1-1"}
PASSWORD = "correct horse"
HASHED = hashed(PASSWORD, ln=10)
UNREACHABLE = [f"nobody-{n}@example.jp" for n in range(50)]  # the mail server refuses them for good
VOLATILE = {"lookup"}  # kinds without a row


class Wrong(Exception):
    """Something a client must never see, and the asks it concerns."""

    def __init__(self, text, *asks):
        super().__init__(" and ".join(f"{a.kind} {a.id}" for a in asks) + f": {text}")
        self.ids = [a.id.replace("-", "") for a in asks]


class Ask:
    """One job: what was sent, and what became of it. twice: to both brokers at the same time."""

    def __init__(self, kind, args, twice=False, id=None):
        self.kind, self.args, self.twice = kind, args, twice
        self.id = id or new_id()
        self.body = json.dumps({"id": self.id, "args": args}, ensure_ascii=False).encode()
        self.began = self.ended_at = None
        self.accepted, self.end = False, None
        self.due, self.at = 0, 0
        self.tries = 0

    def done(self):
        if self.end["state"] != "done":
            raise Wrong(self.end, self)
        return self.end["result"]

    def ended(self, *codes):
        """done, or refused with one of these codes."""
        if self.end["state"] != "done" and (self.end["state"] != "refused"
                                            or self.end["error"]["code"] not in codes):
            raise Wrong(self.end, self)
        return self.end["state"] == "done"


class Mailbox:
    """What the mail server keeps, read as it grows."""

    def __init__(self, folder):
        self.folder, self.at, self.codes, self.count = folder, 0, collections.defaultdict(list), 0

    def read(self):
        index = self.folder / "index.jsonl"
        if not index.exists():
            return
        with open(index, "rb") as file:
            file.seek(self.at)
            for line in file:
                if not line.endswith(b"\n"):
                    break
                self.at += len(line)
                self.take(json.loads(line))

    def take(self, entry):
        self.count += 1
        code = CODE.search(body_of(parse((self.folder / entry["file"]).read_bytes())))
        if code and code.group() not in self.codes[entry["to"][0]]:
            self.codes[entry["to"][0]].append(code.group())


class Crowd:
    """
    So many people at a time, so many requests a second at most. asks: everything ever sent, by id;
    events: what happened, in order, as (monotonic time, id or "", text).
    """

    def __init__(self, stack, endpoints, seed, people=40, rate=60):
        self.stack, self.endpoints, self.random = stack, endpoints, random.Random(seed)
        self.people, self.rate = people, rate
        self.mailbox = Mailbox(stack.folder / "mail")
        self.csrs = [make_key_and_csr(stack.folder, f"crowd-{i}")[1] for i in range(8)]
        self.asks, self.events, self.wrong = {}, collections.deque(), []
        self.open = {}  # id -> Ask that has no end
        self.lives = []  # [generator, what it waits for]
        self.number, self.wanted, self.failed = 0, True, None
        self.budget, self.budget_at = 0.0, time.monotonic()
        self.operator_due = 0.0
        self.thread = threading.Thread(target=self._run, daemon=True)

    def start(self):
        self.thread.start()

    def stop(self):
        """Nobody new; who is on the way goes on."""
        self.wanted = False

    def finish(self, seconds):
        """Until everybody is through; False when somebody is not."""
        self.stop()
        self.thread.join(seconds)
        if self.failed:
            raise AssertionError(f"crowd: {self.failed}")
        return not self.thread.is_alive()

    def ended(self):
        return len(self.asks) - len(self.open)

    def note(self, id, text):
        self.events.append((time.monotonic(), id, text))

    # --- the thread ---

    def _run(self):
        context = zmq.Context()
        try:
            self.sockets = [context.socket(zmq.DEALER) for _ in self.endpoints]
            poller = zmq.Poller()
            for s, endpoint in zip(self.sockets, self.endpoints):
                s.linger, s.sndtimeo, s.reconnect_ivl = 0, 0, 50
                s.connect(endpoint)
                poller.register(s, zmq.POLLIN)
            while self.wanted or self.lives:
                for s, _ in poller.poll(20):
                    self._drain(s)
                self._repeat()
                self.mailbox.read()
                self._live()
                self._invite()
        except Exception as error:
            import traceback
            self.failed = f"{error!r}\n{traceback.format_exc()}"
        finally:
            context.destroy(0)

    def _send(self, ask, at):
        ask.tries += 1
        ask.at = at % len(self.sockets)
        ask.due = time.monotonic() + (10 if ask.accepted else 3)
        self.note(ask.id, f"{ask.kind} sent to broker {ask.at + 1}")
        try:
            self.sockets[ask.at].send_multipart([b"MDPC02", b"\x01", ask.kind.encode(), ask.body])
        except zmq.Again:
            pass  # as good as silence

    def _begin(self, ask):
        ask.began = time.monotonic()
        self.asks[ask.id] = self.open[ask.id] = ask
        first = self.random.randrange(len(self.sockets))
        self._send(ask, first)
        if ask.twice:
            self._send(ask, first + 1)

    def _drain(self, s):
        while True:
            try:
                frames = s.recv_multipart(zmq.NOBLOCK)
            except zmq.Again:
                return
            answer = json.loads(frames[3])
            ask = self.asks.get(answer.get("id"))
            if not ask:
                self.wrong.append((f"an answer to nobody: {answer}", []))
            else:
                self._take(ask, answer)

    def _take(self, ask, answer):
        now = time.monotonic()
        if answer["state"] == "accepted":
            if not ask.accepted:
                self.note(ask.id, "accepted")
            ask.accepted = True
            ask.due = now + 10
        elif answer["state"] == "rejected":
            code = answer["error"]["code"]
            if code not in ("busy", "unavailable"):
                self.wrong.append((f"{ask.kind} is rejected: {answer['error']}", [ask.id.replace("-", "")]))
                self.open.pop(ask.id, None)
                ask.end = ask.end or answer
            ask.due = now + self.random.uniform(0.1, 0.6) * min(ask.tries, 5)
        elif ask.end is None:
            ask.end, ask.ended_at = answer, now
            self.open.pop(ask.id, None)
            self.note(ask.id, answer["state"])
        elif ask.kind not in VOLATILE and answer != ask.end and answer.get("result") is not None:
            self.wrong.append((f"{ask.kind} ended twice: {ask.end}, then {answer}",
                               [ask.id.replace("-", "")]))

    def _repeat(self):
        now = time.monotonic()
        for ask in [a for a in self.open.values() if a.due <= now]:
            self._send(ask, ask.at + 1)

    def _live(self):
        still = []
        for life, wants in self.lives:
            try:
                while self._is_there(wants):
                    wants = life.send(wants if wants else None)
                    self._want(wants)
                still.append((life, wants))
            except StopIteration:
                pass
            except Wrong as wrong:
                self.wrong.append((str(wrong), wrong.ids))
        self.lives = still

    def _want(self, wants):
        for ask in wants if isinstance(wants, list) else []:
            self._begin(ask)

    @staticmethod
    def _is_there(wants):
        """A list of asks that have ended, or a test that holds."""
        return wants() if callable(wants) else all(ask.end for ask in wants)

    def _invite(self):
        now = time.monotonic()
        self.budget = min(self.budget + (now - self.budget_at) * self.rate, self.rate)
        self.budget_at = now
        while self.wanted and len(self.lives) < self.people and self.budget >= 1:
            self.budget -= 4  # about what one of them asks
            self.number += 1
            self.lives.append((self._somebody(), []))
        if self.wanted and now >= self.operator_due:
            self.operator_due = now + self.random.uniform(1, 3)
            self.lives.append((self.operator(), []))

    def _somebody(self):
        kinds = {self.idle: 5, self.subscriber: 9, self.bank_user: 3, self.out_of_reach: 1,
                 self.hasty: 2}
        return self.random.choices(list(kinds), list(kinds.values()))[0](self.number)

    # --- who they are ---

    def idle(self, number):
        for _ in range(4):
            ask = Ask("noop", {"n": number}, twice=self.random.random() < 0.3)
            yield [ask]
            ask.done()

    def applicant(self, address, product):
        subscriber = {**SUBSCRIBER, "email": address}
        if product == "class2":
            subscriber.update(address=ADDRESS, telephone="0312345678")
        return {"product": product, "by": OPERATOR, "password": HASHED, "subscriber": subscriber}

    def apply(self, address, product):
        ask = Ask("issue", self.applicant(address, product), twice=self.random.random() < 0.1)
        yield [ask]
        return ask.done()["certificate"]

    def code(self, address, known=()):
        """The newest code mailed to the address that is not among those known."""
        codes = self.mailbox.codes
        yield lambda: any(c not in known for c in codes[address])
        return [c for c in codes[address] if c not in known][-1]

    def retrieval(self, address, code, csr=None, **more):
        return Ask("retrieve", {"email": address, "password": PASSWORD, "code": code,
                                "csr": csr or self.random.choice(self.csrs), **more})

    def revocation(self, certificate):
        return Ask("revoke", {"certificate": certificate, "by": OPERATOR,
                              "reason": self.random.choice(["superseded", "cessationOfOperation"])})

    def subscriber(self, number):
        """Applies, retrieves, has it reissued a few times, and may have it revoked."""
        address = f"person-{number}@example.jp"
        product = self.random.choice(["association", "association", "class2"])
        certificate = yield from self.apply(address, product)
        code = yield from self.code(address)
        if self.random.random() < 0.3:
            yield from self.look(address, code, 0)  # nothing was retrieved
        serial = yield from self.retrieve(address, code, certificate)
        codes = [code]
        for _ in range(self.random.choice([0, 0, 1, 1, 2])):
            certificate = yield from self.reissue(address, codes)
            serial = yield from self.retrieve(address, codes[-1], certificate)
        if self.random.random() < 0.3:
            yield from self.look(address, codes[-1], 1)
        if self.random.random() < 0.4:
            ask = self.revocation(certificate)
            yield [ask]
            if ask.done()["serial"] != serial:
                raise Wrong(f"{ask.end}, not of {serial}", ask)

    def look(self, address, code, count):
        """A kind without a row: it may be lost with its worker, and is asked again."""
        for _ in range(20):
            ask = Ask("lookup", {"email": address, "password": PASSWORD, "code": code})
            yield [ask]
            if ask.end["state"] == "done":
                found = len(ask.end["result"]["certificates"])
                if found != count:
                    raise Wrong(f"{found} certificates of {address}, not {count}", ask)
                return

    def retrieve(self, address, code, certificate):
        """Sometimes twice, with another job: the same certificate (X6). Returns the serial."""
        ask = self.retrieval(address, code)
        yield [ask]
        result = ask.done()
        if result["certificate"] != certificate:
            raise Wrong(f"{result['certificate']}, not {certificate}", ask)
        if self.random.random() < 0.2:
            again = Ask("retrieve", ask.args)
            yield [again]
            if again.done()["pem"] != result["pem"]:
                raise Wrong("signed two certificates", ask, again)
        return result["serial"]

    def reissue(self, address, codes):
        ask = Ask("reissue", {"email": address, "password": PASSWORD, "code": codes[-1],
                              "reason": self.random.choice(["lost", "other", "retrieval-failed"])})
        yield [ask]
        certificate = ask.done()["certificate"]
        codes.append((yield from self.code(address, list(codes))))
        return certificate

    def hasty(self, number):
        """Asks for two things at once that cannot both be had."""
        address = f"hasty-{number}@example.jp"
        certificate = yield from self.apply(address, "association")
        code = yield from self.code(address)
        first = self.retrieval(address, code, self.csrs[0])
        if self.random.random() < 0.5:
            second = self.revocation(certificate)
            yield [first, second]
            first.ended("revoked", "cancelled", "none", "credentials")
            second.done()
            return
        second = self.retrieval(address, code, self.csrs[1])
        yield [first, second]
        won = [a for a in (first, second) if a.ended("already-retrieved", "credentials")]
        if len(won) != 1:
            raise Wrong(f"{len(won)} certificates for one code", first, second)
        asks = [Ask("reissue", {"email": address, "password": PASSWORD, "code": code,
                                "reason": "other"}) for _ in range(2)]
        yield asks
        if not any([a.ended("credentials") for a in asks]):
            raise Wrong("neither was done", *asks)

    def bank_user(self, number):
        """No code and no mail of it: user id and password."""
        user, code = f"user-{number}", f"{number:09}"
        subscriber = {**SUBSCRIBER, "email": f"bank-{number}@example.jp", "user_id": user,
                      "organisation": {**SUBSCRIBER["organisation"], "company_code": code}}
        ask = Ask("issue", {"product": "online-banking", "subscriber": subscriber, "password": HASHED})
        yield [ask]
        certificate = ask.done()["certificate"]
        ask = Ask("retrieve", {"user_id": user, "password": PASSWORD,
                               "csr": self.random.choice(self.csrs)})
        yield [ask]
        ask.done()
        if self.random.random() < 0.5:
            asks = [self.revocation(certificate) for _ in range(2)]
            yield asks
            if not any([a.ended("already-revoked", "revoked") for a in asks]):
                raise Wrong("neither was done", *asks)

    def out_of_reach(self, number):
        yield from self.apply(UNREACHABLE[number % len(UNREACHABLE)], "association")

    def operator(self):
        """A CRL, or a scan as of a day on which what is retrieved now is due; sometimes two at once."""
        if self.random.random() < 0.6:
            asks = [Ask("crl", {"issuer": "person-ca"}) for _ in range(self.random.choice([1, 1, 2]))]
        else:
            day = datetime.date.today() + datetime.timedelta(days=self.random.choice([340, 732]))
            asks = [Ask("expiry-scan", {"as_of": day.isoformat()})
                    for _ in range(self.random.choice([1, 1, 2]))]
        yield asks
        for ask in asks:
            ask.done()
