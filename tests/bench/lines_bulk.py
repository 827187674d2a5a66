"""P7, P8, P9: mails, the expiry scan, the CRL."""
import contextlib
import datetime
import shutil
import subprocess
import time

import rows
from harness import BUILD, free_port
from lab import peak_mb, timed

JST = datetime.timezone(datetime.timedelta(hours=9))


def mail(lab):
    """P7: real code mails through one mail worker to a sink; the floors send the same message to it."""
    for is_signed, least in ((False, 4000), (True, 1500)):
        lab.stack.sign_mails(is_signed)
        with _sink(lab) as kept:
            rates, floors, sources = lab.runs(
                lambda: _mail_rate(lab), lambda: _raw_rate(lab, kept),
                lambda: None if is_signed else _source_rate(lab, kept))
            assert (b"multipart/signed" in kept.read_bytes()) == is_signed
        what = "S/MIME signed mails" if is_signed else "mails"
        lab.add("P7", f"{what} handed over, one worker", "/s", rates, least=least)
        lab.add("P7", "the same against raw pipelining", "/s", rates, ("F5", floors))
        if sources[0]:
            lab.add("P7", "the same against Postfix's tool", "/s", rates, ("smtp-source", sources),
                    least=0.5)
    lab.stack.sign_mails(False)


@contextlib.contextmanager
def _sink(lab):
    """An SMTP server that keeps the first message in the file it yields; mail goes there."""
    kept, port = lab.stack.folder / "kept.eml", free_port()
    sink = lab.stack.start("sink", [BUILD / "tests" / "bench" / "certq-sink", "--listen", port,
                                    "--keep", kept])
    sink.wait_line("listening on")
    lab.stack.smtp = port
    lab.stack.write_config()
    try:
        yield kept
    finally:
        sink.stop()


def _mail_rate(lab):
    n = lab.sizes.mails
    lab.fresh()
    lab.stack.certq("queue", "pause", "mail")
    with lab.workers("issue", 2):
        lab.load("issue", "--final", "--outstanding", 1000, "--count", n, "--args", lab.issue_args(),
                 seconds=120)
    with lab.workers("mail", group=100):
        before = lab.ended()
        start = time.perf_counter()
        lab.stack.certq("queue", "resume", "mail")
        lab.wait_ended(before + n)
        rate = n / (time.perf_counter() - start)
    sent = lab.stack.count("mail", "state = 'sent'")
    assert sent == n, f"{sent} of {n} mails are marked sent"
    return rate


def _raw_rate(lab, message):
    return lab.tool("certq-mailer", "--port", lab.stack.smtp, "--message", message, "--seconds",
                    lab.sizes.seconds)["rate"]


def _source_rate(lab, message):
    """smtp-source, one session; None where Postfix is not installed."""
    tool = shutil.which("smtp-source", path="/usr/sbin:/usr/bin")
    if not tool:
        return None
    n = lab.sizes.mails
    took = timed(lambda: subprocess.run(
        [tool, "-d", "-s", "1", "-m", str(n), "-l", str(message.stat().st_size), "-f", "a@example.jp",
         "-t", "b@example.jp", f"127.0.0.1:{lab.stack.smtp}"], check=True, timeout=300,
        capture_output=True))
    return n / took


def scan(lab):
    """P8: an ordinary day's expiry scan, over tables of two sizes with as many due."""
    medians = []
    for n in lab.sizes.certificates:
        figures = _scans(lab, n)
        row = lab.add("P8", f"scan of {n:,}, {lab.sizes.due:,} due", "s", figures,
                      most=2 if n == lab.sizes.certificates[-1] else None)
        medians.append(figures)
    small, large = lab.sizes.certificates
    lab.add("P8", f"{large:,} against {small:,}", "s", medians[1], ("fewer rows", medians[0]), most=1.5)


def _scans(lab, n):
    """Seconds of the scans of days that follow one another."""
    days = lab.sizes.runs
    today = datetime.datetime.now(JST).replace(hour=12, minute=0, second=0, microsecond=0)
    lab.fresh()
    with lab.workers("issue"), lab.stack.client() as client:
        lab.person(client, "bench-direct")
    rows.certificates(lab, n, lab.sizes.due, days, int(today.timestamp() * 1000))
    figures = []
    with lab.paused("mail"), lab.workers("expiry-scan"), lab.stack.client() as client:
        for day in range(days):
            as_of = (today + datetime.timedelta(days=day)).date().isoformat()
            args = {"as_of": as_of, "product": "bench-direct"}
            start = time.perf_counter()
            answer = client.run("expiry-scan", args, 600)
            figures.append(time.perf_counter() - start)
            sent = answer.get("result", {}).get("products", {}).get("bench-direct", {}).get("sent")
            assert sent == lab.sizes.due, answer
    return figures


def crl(lab):
    """P9: the next CRL of an issuer with many revocations, from request to file."""
    lab.fresh()
    rows.revocations(lab, lab.sizes.revocations)
    memory = []
    with lab.workers("crl") as workers, lab.stack.client() as client:
        def once():
            start = time.perf_counter()
            answer = client.run("crl", {"issuer": "person-ca"}, 120)
            took = time.perf_counter() - start
            assert answer["result"]["entries"] == lab.sizes.revocations, answer
            memory.append(peak_mb(workers[0].pid))
            return took
        (figures,) = lab.runs(once)
    lab.add("P9", f"CRL of {lab.sizes.revocations:,}, on disk", "s", figures, most=2)
    lab.add("P9", "memory of its worker", "MB", memory, most=150)
