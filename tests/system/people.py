"""People who apply for certificates and retrieve them; the mails they get; other people's software that
judges both. Written from docs/protocol.md and the rules of docs/products.md (ids A1 ... E5, X1 ... X9)."""
import base64
import datetime
import email
import email.policy
import hashlib
import itertools
import json
import pathlib
import re
import subprocess
import unittest

from harness import SOURCE, SUBSCRIBER, Stack, make_key_and_csr, new_id, until

OPERATOR = {"role": "operator", "operator": "desk-1", "name": "受付 〇〇"}
KINDS = "issue,decide,lookup,retrieve,reissue,revoke,crl,inspect,noop"
LETTERS = "23456789ABCDEFGHJKLMNPQRSTUVWXYZ"
CODE = re.compile(rf"(?<![{LETTERS}-])[{LETTERS}]{{4}}(?:-[{LETTERS}]{{4}}){{3}}(?![{LETTERS}-])")
WELL_FORMED = "2222-2222-2222-2222"  # all zeros: the check holds, and nobody has it
FULL_WIDTH = {ord(c): ord(c) - 0x21 + 0xFF01 for c in LETTERS + LETTERS.lower() + "-"}
JST = datetime.timezone(datetime.timedelta(hours=9))
_numbers = itertools.count(1)


def hashed(password, ln=10):
    """A password as upstream may hash it: cheap, for tests that are not about passwords."""
    salt = b"salt-of-16-bytes"
    key = hashlib.scrypt(password.encode(), salt=salt, n=1 << ln, r=8, p=1, dklen=32)
    text = [base64.b64encode(b).decode().rstrip("=") for b in (salt, key)]
    return {"scrypt": f"$scrypt$ln={ln},r=8,p=1${text[0]}${text[1]}"}


def openssl(*args, stdin=None, check=True):
    """Runs openssl(1); returns its CompletedProcess with bytes."""
    done = subprocess.run(["openssl", *map(str, args)], input=stdin, capture_output=True)
    if check and done.returncode:
        raise AssertionError(f"openssl {' '.join(map(str, args))}: {done.stderr.decode()}")
    return done


def dates(pem):
    """(notBefore, notAfter) as 2006-07-24 00:00:00Z."""
    out = openssl("x509", "-noout", "-dates", "-dateopt", "iso_8601",
                  stdin=pem.encode()).stdout.decode()
    return tuple(line.partition("=")[2] for line in out.splitlines())


def signed(folder, key, pem, kind, certificate, args):
    """(job id, args with a signature by that key), as docs/protocol.md says."""
    job = new_id()
    canonical = json.dumps(args, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    digest = hashlib.sha256(canonical.encode()).hexdigest()
    path = folder / f"signer-{job}.pem"
    path.write_text(pem)
    der = openssl("cms", "-sign", "-binary", "-md", "sha256", "-outform", "DER", "-signer", path, "-inkey", key,
                  stdin=f"certq {kind} {certificate} {job} {digest}".encode()).stdout
    return job, {**args, "signature": base64.b64encode(der).decode()}


class Applicant:
    """Somebody with an address and a password of their own, and one key with its CSR."""

    def __init__(self, stack, product="association", language="ja", **subscriber):
        number = next(_numbers)
        self.stack, self.product = stack, product
        self.email = f"person-{number}@example.jp"
        self.password = f"correct horse {number}"
        self.user_id = f"user-{number:04}"
        self.subscriber = {**SUBSCRIBER, "email": self.email, "language": language, **subscriber}
        if product == "online-banking":
            self.subscriber["user_id"] = self.user_id
            self.subscriber["organisation"] = {**SUBSCRIBER["organisation"],
                                               "company_code": "000000001"}
        self._csr = None
        self.certificate = self.application = None

    @property
    def csr(self):
        if not self._csr:
            self.key, self._csr = make_key_and_csr(self.stack.folder, f"key-{self.user_id}")
        return self._csr

    def issue_args(self, **more):
        args = {"product": self.product, "subscriber": self.subscriber, "password": self.password,
                **more}
        return args if self.product == "online-banking" else {"by": OPERATOR, **args}

    def issue(self, client, **more):
        """Applies; returns the result."""
        answer = client.run("issue", self.issue_args(**more))
        if answer["state"] != "done":
            raise AssertionError(f"issue: {answer}")
        self.certificate, self.application = answer["result"]["certificate"], answer["result"]["application"]
        return answer["result"]

    def code(self):
        """The code from the mail, when it has come."""
        mail = until(f"a code mail to {self.email}", lambda: self.code_mails())[-1]
        return CODE.search(body_of(mail)).group()

    def code_mails(self):
        return [m for m in mails_to(self.stack, self.email) if CODE.search(body_of(m))]

    def retrieve_args(self, **more):
        """Credentials and CSR; a member given as None is left out."""
        if self.product == "online-banking":
            args = {"user_id": self.user_id}
        else:
            args = {"email": self.email}
            if "code" not in more:
                args["code"] = self.code()
        if "csr" not in more:
            args["csr"] = self.csr
        args = {**args, "password": self.password, **more}
        return {name: value for name, value in args.items() if value is not None}

    def retrieve(self, client, **more):
        """The final answer."""
        return client.run("retrieve", self.retrieve_args(**more))

    def revoke(self, client, reason="keyCompromise", **more):
        return client.run("revoke", {"certificate": self.certificate, "reason": reason, "by": OPERATOR,
                                     **more})


def raw_mails_to(stack, address):
    """Messages kept for an address as they came, oldest first."""
    index = stack.folder / "mail" / "index.jsonl"
    lines = index.read_text().splitlines() if index.exists() else []
    kept = [json.loads(line) for line in lines if address in line]
    return [(stack.folder / "mail" / k["file"]).read_bytes() for k in kept if address in k["to"]]


def parse(raw):
    return email.message_from_bytes(raw, policy=email.policy.default)


def mails_to(stack, address):
    return [parse(raw) for raw in raw_mails_to(stack, address)]


def body_of(message):
    return message.get_body(("plain",)).get_content()


def all_mails(stack):
    """{recipient: [(Message-ID, decoded text), ...]} of everything the catcher kept."""
    index, found = stack.folder / "mail" / "index.jsonl", {}
    for line in index.read_text().splitlines() if index.exists() else []:
        entry = json.loads(line)
        message = parse((stack.folder / "mail" / entry["file"]).read_bytes())
        found.setdefault(entry["to"][0], []).append((message["Message-ID"], body_of(message)))
    return found


class StackCase(unittest.TestCase):
    """Tests that share one running installation: a broker, a worker, a mail worker, a catcher."""
    OPTIONS = {}
    SERVES = KINDS  # what the worker does
    maxDiff = None

    @classmethod
    def setUpClass(cls):
        cls.stack = Stack(**cls.OPTIONS)
        cls.stack.__enter__()
        try:
            cls.start(cls.stack)
        except BaseException:
            cls.stack.close()
            raise

    @classmethod
    def start(cls, stack):
        cls.catcher = stack.start_catcher()
        cls.broker = stack.start_broker()
        cls.worker = stack.start_worker(cls.SERVES, name="worker")
        cls.mail_worker = stack.start_worker("mail", name="mail")

    @classmethod
    def tearDownClass(cls):
        try:
            cls.stack.drain()
        finally:
            cls.stack.close()

    def setUp(self):
        self.client = self.stack.client()
        self.addCleanup(self.client.close)

    def done(self, answer):
        """The result of a job that must have been done."""
        self.assertEqual(answer["state"], "done", answer)
        return answer["result"]

    def refused(self, answer, code=None):
        """The error of a job that a rule must have refused."""
        self.assertEqual(answer["state"], "refused", answer)
        self.assertTrue(answer["error"]["message"], answer)
        if code:
            self.assertEqual(answer["error"]["code"], code, answer)
        return answer["error"]

    def row(self, certificate):
        """state, serial (hex) of a certificate's row."""
        return self.stack.sql("SELECT state, LOWER(HEX(serial)) FROM certificate WHERE id = "
                              f"UNHEX('{certificate.replace('-', '')}')")[0]


class DatedCase(StackCase):
    """They also move the clock, which goes right again after each."""

    def setUp(self):
        super().setUp()
        self.addCleanup(self.stack.certq, "clock", "reset")

    def at(self, text):
        """Sets it to a time of Japan."""
        self.stack.certq("clock", "set", datetime.datetime.fromisoformat(text).replace(tzinfo=JST).isoformat())


def products_with(stack_folder, name, base="association", **replacements):
    """A folder with the products of config/ and one more: `base` under another name, with lines replaced."""
    folder = pathlib.Path(stack_folder)
    folder.mkdir(exist_ok=True)
    for path in (SOURCE / "config" / "products").glob("*.yaml"):
        (folder / path.name).write_text(path.read_text())
    text = (folder / f"{base}.yaml").read_text().replace(f"product: {base}", f"product: {name}")
    for old, new in replacements.get("lines", {}).items():
        assert old in text, f"{base}.yaml has no line {old!r}"
        text = text.replace(old, new)
    (folder / f"{name}.yaml").write_text(text)
    return folder


def uuid_hex(value):
    return value.replace("-", "")


__all__ = [name for name in dir() if not name.startswith("_")]
