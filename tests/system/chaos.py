"""One run of scripts/chaos: rounds of faults under load, then calm, then the history is checked."""
import collections
import random
import sys
import time

import chaos_faults
from chaos_check import TRIGGERS, Check, crl_verifies
from chaos_crowd import Ask, Crowd
from chaos_fleet import ChaosStack, Fleet
from harness import PATIENCE, until
from people import uuid_hex


class Run:
    """A context: the stack and its fleet are started on entering and ended on leaving."""

    def __init__(self, seed, rounds=200, seconds=None, folder=None, people=40, rate=60, say=None):
        self.seed, self.rounds, self.seconds = seed, rounds, seconds
        self.people, self.rate = people, rate
        self.say = say or (lambda text: print(text, file=sys.stderr, flush=True))
        self.stack = ChaosStack(brokers=2, smtp_timeout="2s", folder=folder)
        self.faults = collections.Counter()
        self.done = 0
        self.found, self.figures, self.longest = [], collections.Counter(), None

    def __enter__(self):
        self.stack.__enter__()
        try:
            for statement in TRIGGERS.split(";\n"):
                if statement.strip():
                    self.stack.sql(statement)
            self.fleet = Fleet(self.stack, self.note)
            self.crowd = None
            self.fleet.start()
            endpoints = [f"tcp://127.0.0.1:{self.fleet.line[f'clients-{n}'].port}" for n in (1, 2)]
            self.crowd = Crowd(self.stack, endpoints, self.seed, self.people, self.rate)
        except BaseException:
            self.stack.close()
            raise
        return self

    def __exit__(self, *_):
        self.stack.close()
        self.fleet.close()

    def note(self, text):
        if self.crowd:
            self.crowd.note("", text)

    # --- rounds ---

    def torment(self):
        """All rounds, under load."""
        dice = random.Random(self.seed)
        began = time.monotonic()
        self.crowd.start()
        self.wait_for_ends(10)
        while self.done < self.rounds and not (self.seconds and time.monotonic() - began > self.seconds):
            self.done += 1
            left = self.seconds - (time.monotonic() - began) if self.seconds else 99
            self.one_round(chaos_faults.draw(self.fleet, dice, max(left, 1)))
            self.fleet.look_for_crashes()
        self.figures["seconds of it"] = round(time.monotonic() - began)

    def wait_for_ends(self, more):
        """Progress, however little; what stands still is seen at the end."""
        before = self.crowd.ended()
        end = time.monotonic() + PATIENCE
        while self.crowd.ended() < before + more and time.monotonic() < end and not self.crowd.failed:
            time.sleep(0.05)
        if self.crowd.failed:
            raise AssertionError(self.crowd.failed)

    def one_round(self, chosen):
        names = [f"{type(f).__name__}({f.seconds:.1f}s)" for _, f in chosen]
        self.say(f"round {self.done}: {', '.join(names)}; {self.crowd.ended()} jobs ended")
        self.note(f"round {self.done}: {', '.join(names)}")
        self.faults.update(type(f).__name__ for _, f in chosen)
        now = time.monotonic()
        steps = [(now + at, fault.begin) for at, fault in chosen]
        steps += [(now + at + fault.seconds, fault.end) for at, fault in chosen]
        for at, step in sorted(steps, key=lambda s: s[0]):
            time.sleep(max(0, at - time.monotonic()))
            step()
        self.wait_for_ends(3)

    # --- the end ---

    def settle(self, seconds=3 * PATIENCE):
        """Calm, and everybody through; a last CRL."""
        self.fleet.calm()
        began = time.monotonic()
        if not self.crowd.finish(seconds):
            for ask in list(self.crowd.open.values())[:10]:
                self.found.append((f"{ask.kind} has no end", [uuid_hex(ask.id)]))
            if not self.crowd.open:
                self.found.append((f"{len(self.crowd.lives)} people wait for a mail", []))
            return
        try:
            until("no job is left", lambda: self.stack.count("job") == 0, seconds)
        except AssertionError as error:
            self.found.append((str(error), []))
        with self.stack.client() as client:
            for kind, args in (("crl", {"issuer": "person-ca"}),):
                ask = Ask(kind, args)
                ask.began = time.monotonic()
                ask.end = client.run(kind, args, id=ask.id)
                ask.accepted, self.crowd.asks[ask.id] = True, ask
        self.figures["seconds to settle"] = round(time.monotonic() - began)
        self.fleet.look_for_crashes()
        until("the last CRL verifies", lambda: crl_verifies(self.stack))

    def check(self):
        """[(what, [ids])] that is wrong."""
        check = Check(self.stack, self.crowd)
        found = self.found + self.crowd.wrong + check.violations()
        found += [(text, []) for text in self.fleet.crashed]
        found += [(f"{name}: {line}", []) for name, line in self.fleet.reports()]
        self.figures.update(check.figures)
        waits = sorted((a.ended_at - a.began, a.id) for a in self.crowd.asks.values() if a.ended_at)
        if waits:
            self.figures["ms to a job's end, median"] = round(1000 * waits[len(waits) // 2][0])
            self.figures["ms to a job's end, longest"] = round(1000 * waits[-1][0])
            self.longest = waits[-1][1]
        self.figures["requests sent again"] = sum(max(0, a.tries - 1) for a in self.crowd.asks.values())
        self.figures["jobs of clients"] = len(self.crowd.asks)
        return found

    # --- telling ---

    def tell(self, found, most=30):
        self.say(f"seed {self.seed}: {self.done} rounds; faults: "
                 + ", ".join(f"{n} {name}" for name, n in sorted(self.faults.items())))
        for name, n in sorted(self.figures.items()):
            self.say(f"  {name}: {n}")
        if self.longest:
            self.say("The longest on its way:")
            self.tell_story([uuid_hex(self.longest)])
        for text, ids in found[:most]:
            self.say(f"VIOLATION {text} {' '.join(ids)}")
            self.tell_story(ids)
        if len(found) > most:
            self.say(f"and {len(found) - most} more")
        self.say(f"{len(found)} violations" if found else "no violation")

    def tell_story(self, ids, most=60):
        """The order of events that concern these ids, with what was done to the programs meanwhile."""
        ids = set(ids)
        for id in list(ids):
            rows = self.stack.sql(f"SELECT LOWER(HEX(parent)) FROM job_history WHERE id = UNHEX('{id}')")
            ids |= {r[0] for r in rows}
        times = [t for t, id, _ in self.crowd.events if uuid_hex(id) in ids and id]
        if not times:
            return
        first, start = min(times), self.crowd.events[0][0]
        story = [(t, id, text) for t, id, text in self.crowd.events
                 if first - 1 <= t <= max(times) + 1 and (not id or uuid_hex(id) in ids)]
        for t, id, text in story[:most]:
            self.say(f"    {t - start:9.3f} {id or '--':36} {text}")
        for process in self.stack.processes:
            lines = [line for line in process.log().splitlines()
                     if any(uuid_of(i) in line for i in ids)]
            for line in lines[:5]:
                self.say(f"    {process.name}: {line}")


def uuid_of(hexed):
    return f"{hexed[:8]}-{hexed[8:12]}-{hexed[12:16]}-{hexed[16:20]}-{hexed[20:]}"


def run(seed, rounds=200, seconds=None, **options):
    """Everything; returns the violations."""
    with Run(seed, rounds, seconds, **options) as chaos:
        chaos.torment()
        chaos.settle()
        found = chaos.check()
        chaos.tell(found)
        return found
