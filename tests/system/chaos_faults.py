"""What scripts/chaos does to a fleet, one fault a class: begin() and, `lasts` seconds later, end(). All that
is random is drawn from the run's seed when the fault is made, not when it acts."""
from chaos_fleet import BROKERS, WORKERS


class Fault:
    """`odds`: how often, against the others. `lasts`: from, to, in seconds."""
    odds, lasts = 1, (0.0, 1.5)

    def __init__(self, fleet, random):
        self.fleet, self.random = fleet, random
        self.seconds = random.uniform(*self.lasts)
        self.draw(random)

    def draw(self, random):
        pass

    def end(self):
        pass


class KillWorker(Fault):
    odds = 6

    def draw(self, random):
        self.name = random.choice(WORKERS)

    def begin(self):
        self.fleet.kill(self.name)

    def end(self):
        self.fleet.restart(self.name)


class KillBroker(KillWorker):
    odds = 4

    def draw(self, random):
        self.name = random.choice(BROKERS)


class BrokerStaysDead(KillBroker):
    """Long enough for the other to take its slots over."""
    odds, lasts = 1, (12.0, 16.0)


class KillServer(Fault):
    odds, lasts = 2, (0.0, 2.0)

    def begin(self):
        self.fleet.kill_server()

    def end(self):
        self.fleet.start_server()


class KillSeveral(Fault):
    """In one instant, MariaDB among them or not; in the end all of them."""
    odds, lasts = 3, (0.0, 2.0)

    def draw(self, random):
        everybody = BROKERS + WORKERS
        self.names = random.sample(everybody, random.choice([2, 3, 4, len(everybody)]))
        self.server = random.random() < 0.4

    def begin(self):
        if self.server:
            self.fleet.kill_server()
        for name in self.names:
            self.fleet.kill(name)

    def end(self):
        self.fleet.start_server()
        for name in self.names:
            self.fleet.restart(name)


class PauseWorker(Fault):
    """Past its lease: brokers take it for gone after 5 s."""
    odds, lasts = 2, (5.5, 8.0)

    def draw(self, random):
        self.name = random.choice(WORKERS)

    def begin(self):
        self.fleet.pause(self.name)

    def end(self):
        self.fleet.go_on(self.name)


class PauseWorkerBriefly(PauseWorker):
    odds, lasts = 2, (0.2, 2.0)


class PauseBroker(PauseWorker):
    """Past its lease: the other takes its slots after 10 s."""
    odds, lasts = 1, (11.0, 15.0)

    def draw(self, random):
        self.name = random.choice(BROKERS)


class PauseBrokerBriefly(PauseBroker):
    odds, lasts = 1, (0.5, 7.0)


class PauseServer(Fault):
    odds, lasts = 1, (0.3, 4.0)

    def begin(self):
        self.fleet.pause_server()

    def end(self):
        self.fleet.wake_server()


class Cut(Fault):
    """Lines of one sort are held a moment in one direction, or not at all, and cut."""
    odds, lasts = 6, (0.0, 0.4)

    def draw(self, random):
        lines = sorted(self.fleet.line)
        sort = random.choice(["/db", "/db", "/broker-", "clients-", "/smtp"])
        self.names = random.sample([n for n in lines if sort in n], random.choice([1, 1, 2]))
        self.ways = random.choice([["up"], ["down"], []])

    def begin(self):
        if self.ways:
            self.fleet.note(f"hold {self.ways} {' '.join(self.names)}")
        for name in self.names:
            for way in self.ways:
                self.fleet.line[name].hold(way)

    def end(self):
        self.fleet.note(f"cut {' '.join(self.names)}")
        for name in self.names:
            self.fleet.line[name].cut()
            self.fleet.line[name].release()


class Silence(Cut):
    """Held for so long that both sides take each other for gone; then it all arrives."""
    odds, lasts = 1, (5.5, 7.0)

    def draw(self, random):
        super().draw(random)
        self.ways = random.choice([["up"], ["down"], ["up", "down"]])

    def end(self):
        self.fleet.note(f"release {' '.join(self.names)}")
        for name in self.names:
            self.fleet.line[name].release()


class CutOff(Fault):
    """A member's host loses its network: nothing comes, or nothing goes, or neither, and nobody is told. When it
    is mended what was held arrives, or connections have died meanwhile."""
    odds, lasts = 2, (1.0, 14.0)

    def draw(self, random):
        self.name = random.choice(BROKERS + WORKERS)
        self.ways = random.choice([["out"], ["in"], ["out", "in"], ["out", "in"]])
        self.breaks = random.random() < 0.5

    def begin(self):
        self.fleet.note(f"cut off {self.name} {self.ways}")
        for line, out in self.fleet.lines_of(self.name):
            for way in self.ways:
                line.hold(out if way == "out" else {"up": "down", "down": "up"}[out])

    def end(self):
        self.fleet.note(f"{self.name} is back{', connections broken' if self.breaks else ''}")
        for line, _ in self.fleet.lines_of(self.name):
            if self.breaks:
                line.cut()
            line.release()


class FullDisk(Fault):
    """MariaDB's, but for what is allocated already."""
    odds, lasts = 2, (0.5, 4.0)

    def begin(self):
        self.fleet.fill_disk()

    def end(self):
        self.fleet.free_disk()
        self.fleet.look_for_the_server()


class CutSessions(Fault):
    """The server ends all sessions of certq's users: in the middle of whatever they do."""
    odds, lasts = 3, (0.0, 0.1)

    def begin(self):
        self.fleet.note("KILL every session")
        for user in ("certq_broker", "certq_worker", "certq_mail"):
            self.fleet.sql(f"KILL USER '{user}'@'localhost'")


class ReadOnly(Fault):
    odds, lasts = 1, (0.5, 3.0)

    def begin(self):
        self.fleet.note("MariaDB is read-only")
        self.fleet.sql("SET GLOBAL read_only = 1")

    def end(self):
        self.fleet.note("MariaDB is writable")
        self.fleet.sql("SET GLOBAL read_only = 0")


class TooManyConnections(Fault):
    """Every session is ended and few may come back."""
    odds, lasts = 1, (1.0, 3.0)

    def draw(self, random):
        self.most = random.choice([10, 12, 16])

    def begin(self):
        self.fleet.note(f"max_connections = {self.most}")
        self.fleet.sql(f"SET GLOBAL max_connections = {self.most}; KILL USER 'certq_broker'@'localhost'; "
                       "KILL USER 'certq_worker'@'localhost'; KILL USER 'certq_mail'@'localhost'")

    def end(self):
        self.fleet.note("max_connections = 300")
        self.fleet.sql("SET GLOBAL max_connections = 300")


class Locks(Fault):
    """Somebody keeps rows locked for longer than a lock is waited for."""
    odds, lasts = 2, (0.1, 0.2)

    def draw(self, random):
        self.table = random.choice(["subscriber", "certificate", "job", "mail", "slot"])
        self.hold = random.choice([0.5, 2, 4])

    def begin(self):
        self.fleet.note(f"{self.table}: rows locked for {self.hold} s")
        self.fleet.sql(f"START TRANSACTION; SELECT COUNT(*) FROM (SELECT id FROM {self.table} ORDER BY id "
                       f"DESC LIMIT 200 FOR UPDATE) x; SELECT SLEEP({self.hold}); ROLLBACK")


class BadMailServer(Fault):
    odds, lasts = 8, (0.3, 3.0)

    def draw(self, random):
        nth = f"#{random.randrange(1, 12)}"
        self.manners = random.choice([
            {"CONNECT": "421 4.3.2 not now +drop"}, {"CONNECT": "drop"}, {"CONNECT": "hang"},
            {"EHLO": "421 4.3.2 closing +drop"}, {"MAIL": "451 4.3.0 later"},
            {"MAIL": {nth: "421 4.3.0 enough +drop"}}, {"RCPT": {nth: "452 4.5.3 too many"}},
            {"RCPT": "450 4.2.1 later"}, {"RCPT": {nth: "drop"}}, {"RCPT": {nth: "hang"}},
            {"DATA": "452 4.3.1 full"}, {"DATA": {nth: "drop"}}, {"BODY": {nth: "drop"}},
            {"EOM": "451 4.3.0 later"}, {"EOM": {nth: "drop"}}, {"EOM": {nth: "keep drop"}},
            {"EOM": "keep drop"}, {"EOM": {nth: "keep hang"}}, {"EOM": {nth: "keep 451 4.3.0 later"}},
            {"RSET": "421 bye +drop"}, {"slow_ms": random.choice([5, 50, 300])}])

    def begin(self):
        self.fleet.note(f"SMTP {self.manners}")
        self.fleet.behave(self.manners)

    def end(self):
        self.fleet.note("SMTP as it should be")
        self.fleet.behave({})


class KillMailServer(Fault):
    odds, lasts = 1, (0.2, 3.0)

    def begin(self):
        self.fleet.note("kill the mail server")
        self.fleet.stack.catcher.kill()

    def end(self):
        if self.fleet.stack.catcher.alive():
            return
        self.fleet.note("start the mail server")
        self.fleet.stack.start_catcher("--behave", self.fleet.stack.folder / "behave.json")


FAULTS = [KillWorker, KillBroker, BrokerStaysDead, KillServer, KillSeveral, PauseWorker, PauseWorkerBriefly,
          PauseBroker, PauseBrokerBriefly, PauseServer, Cut, Silence, CutOff, FullDisk, CutSessions, ReadOnly,
          TooManyConnections, Locks, BadMailServer, KillMailServer]


def draw(fleet, random, most_seconds=99):
    """The faults of one round, with when each begins: [(seconds, fault), ...]."""
    kinds = [k for k in FAULTS if k.lasts[0] <= most_seconds]
    chosen = []
    for _ in range(random.choice([1, 1, 2, 2, 3])):
        kind = random.choices(kinds, [k.odds for k in kinds])[0]
        if kind not in [type(f) for _, f in chosen]:
            chosen.append((random.uniform(0, 1.2), kind(fleet, random)))
    return chosen
