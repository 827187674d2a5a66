"""One certificate's 25 months, told by dates, mails and CRLs: 花子 applies, retrieves, loses her key, is reminded, and
renews. Everything is asked of certq's command line; the clock is the test clock. Argument: the demo's folder."""
import json
import pathlib
import re
import subprocess
import sys
import time
from datetime import datetime, timedelta, timezone

FOLDER = pathlib.Path(sys.argv[1])
JAPAN = timezone(timedelta(hours=9))
EMAIL = "hanako@example.jp"
CODE = re.compile(r"[2-9A-HJ-NP-Z]{4}(?:-[2-9A-HJ-NP-Z]{4}){3}")
BOLD, PLAIN = ("\033[1m", "\033[0m") if sys.stdout.isatty() else ("", "")


def say(text):
    print("   " + text, flush=True)


def certq(*args):
    """The last line of `certq --json ARGS`, as an object."""
    done = subprocess.run(["certq", "--json", *args], capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"certq {' '.join(args)}: {done.stdout}{done.stderr}")
    return [json.loads(line) for line in done.stdout.splitlines()]


def submit(kind, args, secrets=()):
    path = FOLDER / "people" / "args.json"
    path.write_text(json.dumps(args))
    named = [f"--secret={name}={FOLDER / 'people' / name}" for name in secrets]
    answer = certq("submit", kind, "--args", str(path), "--wait=30", *named)[-1]
    return answer["result"]


def day(text):
    return datetime.fromisoformat(text).astimezone(JAPAN)


def words(moment):
    return moment.astimezone(JAPAN).strftime("%Y-%m-%d %H:%M:%S JST")


def chapter(moment, title):
    """Sets the clock and opens a chapter."""
    certq("clock", "set", moment.astimezone(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ"))
    print(f"\n{BOLD}{moment.astimezone(JAPAN).strftime('%Y-%m-%d %a')}  {title}{PLAIN}", flush=True)


def mails():
    return sorted((FOLDER / "mail").glob("*.eml"))


def next_mail(seen, show=True):
    """Waits for one more mail than `seen`; prints it as a mail reader shows it."""
    end = time.monotonic() + 20
    while len(mails()) <= seen:
        if time.monotonic() > end:
            sys.exit("no mail came; the logs are in var/demo/log")
        time.sleep(0.05)
    text = subprocess.run(["scripts/show-mail", str(mails()[seen])], capture_output=True, text=True).stdout
    lines = text.splitlines()
    say(f"✉ {EMAIL}: {next(l for l in lines if l.startswith('Subject: '))[9:]}")
    if show:
        for line in text.partition("\n\n")[2].rstrip().splitlines():
            print(f"      | {line}")
    return text


def new_key(name):
    key = FOLDER / "people" / f"{name}.key"
    return subprocess.run(
        ["openssl", "req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj",
         "/CN=ignored", "-keyout", key], capture_output=True, text=True, check=True).stdout


def retrieve(name, mail):
    (FOLDER / "people" / "code").write_text(CODE.search(mail).group())
    return submit("retrieve", {"email": EMAIL, "csr": new_key(name)}, ["password", "code"])


def crl():
    """Publishes, and reads it back as other software does."""
    made = submit("crl", {"issuer": "person-ca"})
    shown = subprocess.run(["openssl", "crl", "-inform", "DER", "-in", FOLDER / "crl" / "person-ca.crl", "-noout",
                            "-text"], capture_output=True, text=True, check=True).stdout
    return made["number"], [s.lower() for s in re.findall("Serial Number: ([0-9A-F]+)", shown)]


def tell_crl(serial):
    number, serials = crl()
    say(f"CRL number {number} has {len(serials)} entr{'y' if len(serials) == 1 else 'ies'}; openssl finds the old "
        f"certificate {'on it' if serial in serials else 'not on it'}")


def state(certificate):
    return certq("cert", "show", certificate)[0]


def scan():
    """The daily scan, and what it says of our service."""
    result = submit("expiry-scan", {"by": {"role": "operator", "operator": "nightly"}})["products"]["story"]
    due = ", ".join(f"{n} at {days} days" for days, n in sorted(result["due"].items(), key=lambda d: -int(d[0])) if n)
    skipped = ", ".join(f"{n} {reason}" for reason, n in result["skipped"].items())
    say(f"the scan: due {due or 'nobody'}; {result['sent']} sent" + (f"; skipped: {skipped}" if skipped else ""))


def main():
    (FOLDER / "people" / "password").write_text("demo-password-hanako")
    start = datetime.now(JAPAN).replace(hour=10, minute=0, second=0, microsecond=0) + timedelta(days=1)
    application = {"product": "story", "subscriber": {
        "email": EMAIL, "name": {"ja": "〇〇 花子", "latin": "Hanako Maru"}, "language": "ja",
        "organisation": {"ja": "〇〇株式会社", "latin": "Maru Co Ltd"}}}

    chapter(start, "花子 applies for a certificate")
    asked = submit("issue", application, ["password"])
    say(f"accepted: application {asked['application']}, chargeable: {asked['charge_reason']}")
    code = next_mail(0)

    chapter(start + timedelta(days=1), "She makes a key and retrieves the certificate with the code")
    first = retrieve("first", code)
    end = day(first["not_after"])
    say(f"serial {first['serial']}")
    say(f"valid {words(day(first['not_before']))} – {words(end)}: 760 days after the day of retrieval (A1)")
    next_mail(1, show=False)

    lost = start + timedelta(days=160)
    chapter(lost, "Her computer is stolen; she asks for a reissue with e-mail, password and code")
    asked = submit("reissue", {"email": EMAIL, "reason": "lost"}, ["password", "code"])
    say(f"free of charge; the new certificate will end when the old one would have: {words(day(asked['not_after']))}")
    code = next_mail(2)
    second = retrieve("second", code)
    revoke_at = day(second["revoke_at"])
    say(f"serial {second['serial']}, until {words(day(second['not_after']))}")
    say(f"the old one, {first['serial']}, will be revoked on {words(revoke_at)}")
    next_mail(3)
    tell_crl(first["serial"])

    chapter(revoke_at - timedelta(minutes=1), "Two weeks later, a minute before the time: both are still valid")
    say(f"old: {state(first['certificate'])['state']}, new: {state(second['certificate'])['state']}")
    chapter(revoke_at + timedelta(seconds=1), "A second after it")
    limit = time.monotonic() + 20
    while state(first["certificate"])["state"] != "revoked" and time.monotonic() < limit:
        time.sleep(0.1)
    gone = state(first["certificate"])
    say(f"old: {gone['state']} at {words(day(gone['revoked']))}, to the second")
    next_mail(4, show=False)
    tell_crl(first["serial"])

    chapter(end - timedelta(days=30), "Thirty days before the end")
    scan()
    next_mail(5)
    chapter(end - timedelta(days=10), "Ten days before the end")
    scan()
    next_mail(6, show=False)

    chapter(end - timedelta(days=5), "She applies again, in time")
    asked = submit("issue", {**application, "renews": second["certificate"]}, ["password"])
    code = next_mail(7, show=False)
    third = retrieve("third", code)
    say(f"serial {third['serial']}, until {words(day(third['not_after']))}; chargeable: {asked['charge_reason']}")
    next_mail(8, show=False)
    say(f"the one before lives to its end (A2): {state(second['certificate'])['state']}")

    chapter(end + timedelta(days=1), "The day after the old end")
    scan()
    tell_crl(first["serial"])
    for name, each in (("first", first), ("second", second), ("third", third)):
        shown = state(each["certificate"])
        over = " (expired)" if shown["state"] == "valid" and day(shown["not_after"]) < end + timedelta(days=1) else ""
        say(f"{name:6} {each['serial']}  {shown['state']}{over}")


main()
