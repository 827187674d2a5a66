"""P3, P5, P6, P11: the work of certificates."""
import hashlib
import re
import subprocess
import time

import rows
from lab import FULL_LN, PASSWORD, SESSION, busy_seconds, cpu_seconds, timed


def issue(lab):
    """P3: `issue` with all its effect; the mails wait."""
    lab.fresh()
    with lab.paused("mail"), lab.workers("issue", 2):
        figures, floors, singles = lab.runs(
            lambda: _issue_rate(lab), lambda: lab.floor("f3")["rate"], lambda: lab.floor("f4")["rate"])
        (hashed,) = lab.runs(lambda: lab.load(
            "issue", "--final", "--outstanding", 8, "--args", lab.issue_args(PASSWORD))["rate"])
    lab.add("P3", "issue done, full effect, 2 workers", "/s", figures, ("F3", floors), least=0.60)
    lab.add("P3", "the same against a transaction a job", "/s", figures, ("F4", singles), least=2.0)
    lab.add("P3", f"passwords sealed and hashed here (2^{FULL_LN})", "/s", hashed)


def _issue_rate(lab):
    return lab.load("issue", "--final", "--outstanding", 1000, "--args", lab.issue_args())["rate"]


def _waiting_people(lab, product, n):
    """bench-1 … bench-n may retrieve."""
    with lab.workers("issue"), lab.stack.client() as client:
        lab.person(client, product)
    rows.awaiting(lab, n)


def _hash_ms(ln):
    return 1000 * timed(lambda: hashlib.scrypt(b"x", salt=b"16 bytes of salt", n=1 << ln, r=8, p=1,
                                               maxmem=1 << 28, dklen=32))


def retrieve(lab):
    """P5: one retrieval at a time, by a password that is cheap to hash, less what the hash takes."""
    most = int(500 * lab.sizes.seconds)  # a run
    lab.fresh()
    _waiting_people(lab, "online-banking", most * lab.sizes.runs)
    args = lab.args("retrieve", {"user_id": "bench-%ID%", "password": PASSWORD, "csr": lab.csr()})
    first = iter(range(1, most * lab.sizes.runs + 1, most))

    def once():
        return lab.load("retrieve", "--final", "--outstanding", 1, "--count", most, "--args", args,
                        "--prefix", "", "--first", next(first))
    with lab.workers("retrieve"):
        loads, cheap, full = lab.runs(once, lambda: _hash_ms(10), lambda: _hash_ms(FULL_LN))
    for name, limit in (("p50", 5), ("p99", 20)):
        lab.add("P5", f"retrieve, {name}, without its hash", "ms",
                [l[f"{name}_us"] / 1000 - c for l, c in zip(loads, cheap)], most=limit)
    lab.add("P5", f"the hash of a password, 2^{FULL_LN}", "ms", full)


def sign(lab):
    """P6: certificates signed and stored by one worker: in `issue`, and in `retrieve`."""
    lab.fresh()
    args = lab.args("direct", {
        "product": "bench-direct", "by": SESSION, "csr": lab.csr(),
        "subscriber": {"user_id": "u%ID%", "email": "u%ID%@example.jp",
                       "organisation": {"latin": "Maru Co Ltd"}}})
    with lab.paused("mail"), lab.workers("issue"):
        figures, floors = lab.runs(
            lambda: lab.load("issue", "--final", "--outstanding", 1000, "--args", args)["rate"],
            _sign_rate)
    lab.add("P6", "certificates by issue, one worker", "/s", figures, ("F6", floors), least=0.15)

    n = lab.sizes.signed
    lab.fresh()
    _waiting_people(lab, "bench-retrieve", n * lab.sizes.runs)
    args = lab.args("retrieve", {"user_id": "bench-%ID%", "by": SESSION, "csr": lab.csr()})
    first = iter(range(1, n * lab.sizes.runs + 1, n))
    with lab.paused("mail"), lab.workers("retrieve"):
        (figures,) = lab.runs(lambda: lab.load(
            "retrieve", "--final", "--outstanding", 1000, "--count", n, "--args", args, "--prefix", "",
            "--first", next(first), seconds=60)["rate"])
    lab.add("P6", "certificates by retrieve, one worker", "/s", figures, ("F6", floors), least=0.15)


def _sign_rate():
    """F6: P-256 signatures a second on one core."""
    done = subprocess.run(["openssl", "speed", "-seconds", "1", "ecdsap256"],
                          capture_output=True, text=True, check=True, timeout=120)
    return float(re.search(r"ecdsa \(nistp256\)\s+\S+\s+\S+\s+([\d.]+)", done.stdout).group(1))


def scale(lab):
    """P11: two workers against one."""
    lab.fresh()
    shares = []

    def one():
        with lab.workers("issue", 1):
            return _issue_rate(lab)

    def two():
        with lab.workers("issue", 2):
            before = cpu_seconds(lab.mariadbd()), busy_seconds(), time.monotonic()
            rate = _issue_rate(lab)
            after = cpu_seconds(lab.mariadbd()), busy_seconds(), time.monotonic()
        server, machine, wall = (b - a for a, b in zip(before, after))
        shares.append((100 * server / wall, 100 * machine / wall))
        return rate
    with lab.paused("mail"):
        twos, ones = lab.runs(two, one)
    server, machine = (sorted(s)[len(shares) // 2] for s in zip(*shares))
    lab.add("P11", "issue, two workers against one", "/s", twos, ("one worker", ones), least=1.6,
            instead=server > 85, note=f"MariaDB took {server:.0f} % of a core, everything {machine:.0f} %")
