"""P1, P2, P4, P10, P12: the queue itself."""
import time

import rows
from harness import until
from lab import OPERATOR, peak_mb, timed


def accept(lab):
    """P1: durable accept; nobody works, and history is long."""
    for ids in ("v7", "v4"):
        lab.fresh()
        _make_history(lab, ids)

        def once():
            rate = lab.load("noop", "--ids", ids, "--outstanding", 256)["rate"]
            _forget_jobs(lab)
            return rate
        with lab.paused("noop"):
            what = f"accept, UUID{ids}, history {lab.sizes.history:,}"
            if ids == "v7":
                figures, floors = lab.runs(once, lambda: lab.floor("f1")["rate"])
                lab.figures["accept"] = figures
                lab.add("P1", what, "/s", figures, ("F1", floors), least=0.60)
            else:
                lab.add("P1", what, "/s", *lab.runs(once))


def _make_history(lab, ids):
    with lab.workers("noop"), lab.stack.client() as client:
        client.run("noop", {})
    rows.history(lab, lab.sizes.history, ids)


def _forget_jobs(lab):
    """So that one run does not pay for another."""
    lab.stop_broker()
    lab.sql("TRUNCATE TABLE job")
    lab.start_broker()


def noop(lab):
    """P2: accept, dispatch, transactional completion."""
    lab.fresh()
    with lab.workers("noop", 2):
        figures, floors = lab.runs(
            lambda: lab.load("noop", "--final", "--outstanding", 1000)["rate"],
            lambda: lab.floor("f2")["rate"])
    lab.figures["noop"] = figures
    lab.add("P2", "accept to done, noop, 2 workers", "/s", figures, ("F2", floors), least=0.65)


def submit(lab):
    """P4: one submit at a time and nothing else going on, against one hop and one commit."""
    lab.fresh()

    def floor():
        hop = lab.tool("certq-hop", "--outstanding", 1, "--seconds", min(1, lab.sizes.seconds))
        return hop["p50_us"] + lab.floor("commit")["p50_us"]
    with lab.paused("noop"):
        loads, floors = lab.runs(lambda: lab.load("noop", "--outstanding", 1), floor)
    lab.add("P4", "ack of a single submit, p50", "us", [l["p50_us"] for l in loads],
            ("F7 + commit", floors), most=1.5)
    lab.add("P4", "ack of a single submit, p99", "us", [l["p99_us"] for l in loads], most=5000)


def backlog(lab):
    """P10: a broker that starts with many jobs waiting, and works on them."""
    lab.fresh()
    lab.stack.certq("queue", "pause", "noop")
    lab.load("noop", "--count", 1)
    lab.stop_broker()
    rows.jobs(lab, lab.sizes.backlog)

    def once():
        took = timed(lambda: _start_and_ask(lab))
        lab.stack.certq("queue", "resume", "noop")
        before = lab.ended()
        with lab.workers("noop"):
            until("work on the backlog", lambda: lab.ended() > before)
            end = time.monotonic() + lab.sizes.seconds
            until("some of it done", lambda: time.monotonic() > end, 600)
        lab.stack.certq("queue", "pause", "noop")
        memory = peak_mb(lab.broker.pid)
        lab.stop_broker()
        return took, memory
    (figures,) = lab.runs(once)
    what = f"{lab.sizes.backlog:,} jobs wait: "
    lab.add("P10", what + "start to first accept", "s", [f[0] for f in figures], most=5)
    lab.add("P10", what + "broker's memory", "MB", [f[1] for f in figures], most=256)


def _start_and_ask(lab):
    lab.start_broker()
    with lab.stack.client() as client:
        answer = client.accepted(client.submit("noop", {}), 120)
        assert answer["state"] == "accepted", answer


def burst(lab):
    """P12: many submissions while workers are stopped; an urgent revocation in the middle of the rest."""
    drains, rates, urgent, lost = [], [], [], []
    for _ in range(lab.sizes.runs):
        lab.fresh()
        with lab.workers("issue"), lab.stack.client() as client:
            victim = lab.person(client, "bench-direct")["certificate"]
        with lab.paused("mail"):
            with lab.workers("issue,revoke", 2):
                rates.append(lab.load("issue", "--final", "--outstanding", 1000, "--args",
                                      lab.issue_args())["rate"])
            drain, took, missing = _burst_once(lab, victim)
        drains.append(drain)
        urgent.append(took)
        lost.append(missing)
    lab.add("P12", f"burst of {lab.sizes.burst:,} issues, drained", "/s", drains,
            ("P3, as now", rates), least=1.0)
    lab.add("P12", "urgent revocation in the middle of it", "s", urgent, most=1)
    lab.add("P12", "jobs lost", "", lost, most=0)


def _burst_once(lab, victim):
    """(jobs a second, seconds the revocation took, jobs lost)"""
    n = lab.sizes.burst
    count = "kind = 'issue' AND state = 'done'"
    before = lab.stack.count("job_history", count)
    lab.load("issue", "--count", n, "--outstanding", 1000, "--args", lab.issue_args(), seconds=120)
    ended = lab.ended()
    start = time.perf_counter()
    with lab.workers("issue,revoke", 2), lab.stack.client() as client:
        lab.wait_ended(ended + n // 2)
        args = {"certificate": victim, "reason": "keyCompromise", "by": OPERATOR}
        took = timed(lambda: client.run("revoke", args, priority=9))
        lab.wait_ended(ended + n + 1)
        drain = n / (time.perf_counter() - start)
    return drain, took, n - (lab.stack.count("job_history", count) - before)
