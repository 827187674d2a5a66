"""The history of a run of scripts/chaos, held against what must be so: docs/reliability.md lists it. Reads
the database as its administrator, the mails that were kept, the certificates and CRLs that were given out;
writes nothing. violations() is empty, or says what is wrong with the ids it concerns."""
import base64
import collections
import json
import re
import subprocess

from chaos_crowd import UNREACHABLE, VOLATILE
from csr import header
from people import CODE, body_of, parse, uuid_hex

# The audit lines of a job that was done: event and how many of it.
AUDITS = {"issue": "application.accepted", "retrieve": "certificate.retrieved",
          "reissue": "reissue.accepted"}
TRIGGERS = """
CREATE TABLE chaos (seq BIGINT AUTO_INCREMENT PRIMARY KEY, what VARCHAR(16), id BINARY(16), subscriber BINARY(16),
                    version BIGINT, session BIGINT, detail VARCHAR(64)) ENGINE=InnoDB;
CREATE TRIGGER chaos_s1 AFTER INSERT ON subscriber FOR EACH ROW
    INSERT INTO chaos SELECT NULL, 'raised', NEW.id, NEW.id, NEW.version, CONNECTION_ID(), '';
CREATE TRIGGER chaos_s2 AFTER UPDATE ON subscriber FOR EACH ROW
    INSERT INTO chaos SELECT NULL, 'raised', NEW.id, NEW.id, NEW.version, CONNECTION_ID(), OLD.version
        FROM DUAL WHERE NEW.version <> OLD.version;
CREATE TRIGGER chaos_c1 AFTER INSERT ON certificate FOR EACH ROW
    INSERT INTO chaos SELECT NULL, 'certificate', NEW.id, NEW.subscriber, s.version, CONNECTION_ID(), NEW.state
        FROM subscriber s WHERE s.id = NEW.subscriber;
CREATE TRIGGER chaos_c2 AFTER UPDATE ON certificate FOR EACH ROW
    INSERT INTO chaos SELECT NULL, 'certificate', NEW.id, NEW.subscriber, s.version, CONNECTION_ID(), NEW.state
        FROM subscriber s WHERE s.id = NEW.subscriber AND NEW.noticed_days = OLD.noticed_days;
CREATE TRIGGER chaos_a1 AFTER INSERT ON application FOR EACH ROW
    INSERT INTO chaos SELECT NULL, 'application', NEW.id, NEW.subscriber, s.version, CONNECTION_ID(), NEW.state
        FROM subscriber s WHERE s.id = NEW.subscriber;
CREATE TABLE chaos_crl (number BIGINT, piece INT, der LONGBLOB, PRIMARY KEY (number, piece)) ENGINE=InnoDB;
CREATE TRIGGER chaos_l1 AFTER INSERT ON crl_piece FOR EACH ROW
    INSERT INTO chaos_crl VALUES (NEW.number, NEW.piece, NEW.der);
"""
CRLS_AT_ONCE = 40


def children(der, at, length):
    """(tag, from, to) of the elements in a constructed one's content."""
    end = at + length
    while at < end:
        skip, size = header(der, at)
        yield der[at], at + skip, at + skip + size
        at += skip + size


def serials_of_crl(der):
    """(number in hex left to the database) {serial in hex} of a CRL in DER (RFC 5280, 5.1)."""
    skip, _ = header(der)
    inner, size = header(der, skip)
    parts = list(children(der, skip + inner, size))
    lists = [p for p in parts if p[0] == 0x30][2:]  # after the algorithm and the issuer
    if not lists:
        return set()
    found = set()
    for _, start, end in children(der, lists[0][1], lists[0][2] - lists[0][1]):
        _, a, b = next(children(der, start, end - start))
        found.add(der[a:b].hex().lstrip("0"))
    return found


def serial_of_certificate(der):
    skip, _ = header(der)
    inner, size = header(der, skip)
    parts = list(children(der, skip + inner, size))
    _, a, b = parts[1] if parts[0][0] == 0xA0 else parts[0]
    return der[a:b].hex().lstrip("0")


class Check:
    def __init__(self, stack, crowd):
        self.stack, self.crowd, self.found = stack, crowd, []
        self.figures = collections.Counter()

    def wrong(self, text, *ids):
        self.found.append((text, [str(i) for i in ids]))

    def violations(self):
        """[(what, [ids])], at most a few of each sort."""
        self.read()
        for step in (self.jobs, self.follow_ups, self.effects, self.audits, self.mails, self.certificates,
                     self.chains, self.lists, self.order_of_lists, self.versions, self.notices):
            step()
        return self.found

    # --- what there is ---

    def rows(self, columns, table, where="1", cls=None):
        names = [re.sub(r".* AS ", "", c) for c in columns]
        row = collections.namedtuple(cls or re.sub(r"\W.*", "", table), names)
        rows = self.stack.sql(f"SELECT {', '.join(columns)} FROM {table} WHERE {where}")
        return [row(*[None if v == "NULL" else v for v in r]) for r in rows]

    def read(self):
        def hexed(name, alias=None):
            return f"LOWER(HEX({name})) AS {alias or name}"
        self.waiting = self.rows([hexed("id"), "kind"], "job")
        self.history = {r.id: r for r in self.rows(
            [hexed("id"), "kind", "state", "client", hexed("parent"), hexed("followups"), "crashes",
             "failures", hexed("result")], "job_history")}
        self.applied = self.rows([hexed("id"), hexed("job"), hexed("certificate"), "kind"], "application")
        self.certs = {r.id: r for r in self.rows(
            [hexed("id"), hexed("subscriber"), "product", "state", hexed("serial"), hexed("root"),
             hexed("predecessor"), "not_after_ms", hexed("der"), "revoked_ms"], "certificate")}
        self.revoked = self.rows([hexed("serial"), hexed("certificate"), hexed("job")], "revocation")
        self.crls = self.rows(["number", "entries", hexed("job")], "crl", "1 ORDER BY number")
        self.mail = {r.id: r for r in self.rows(
            [hexed("id"), "recipient", "state", "message_id", "template", "tries"], "mail")}
        self.audit = self.rows([hexed("job"), "event", hexed("subject")], "audit")
        self.changes = self.rows(["seq", "what", hexed("id"), hexed("subscriber"), "version", "session",
                                  "detail"], "chaos", "1 ORDER BY seq")
        self.noticed = self.rows([hexed("certificate"), "threshold", "recipient", "state", hexed("mail"),
                                  hexed("job")], "notice")
        self.asks = {uuid_hex(ask.id): ask for ask in self.crowd.asks.values()}

    # --- jobs (I1 to I4) ---

    def jobs(self):
        """Every accepted id has one end, the one that was told; nothing else was done for a client."""
        for row in self.waiting:
            self.wrong(f"{row.kind} is still waiting", row.id)
        for id, ask in self.asks.items():
            if ask.kind in VOLATILE:
                continue
            row = self.history.get(id)
            if row is None:
                self.wrong(f"{ask.kind}, {'accepted' if ask.accepted else 'not accepted'}, is in no table", id)
            elif ask.end and row.state != ask.end["state"]:
                self.wrong(f"{ask.kind} is {row.state}, and its client was told {ask.end['state']}", id)
            elif ask.end and row.state == "done" and row.result:
                kept = json.loads(bytes.fromhex(row.result))
                if kept != ask.end.get("result"):
                    self.wrong(f"{ask.kind}: its client was told another result than is kept", id)
        for id, row in self.history.items():
            self.figures[f"{row.kind} {row.state}"] += 1
            if row.state == "dead":
                self.wrong(f"{row.kind} is dead", id)
            if row.client == "local" and id not in self.asks:
                self.wrong(f"{row.kind} was done for nobody", id)

    def follow_ups(self):
        """Those that history names were done, and no others."""
        named = collections.Counter()
        for id, row in self.history.items():
            for at in range(0, len(row.followups or ""), 32):
                child = row.followups[at:at + 32]
                named[child] += 1
                if child not in self.history:
                    self.wrong(f"a follow-up of {row.kind} is in no table", id, child)
                elif self.history[child].parent != id:
                    self.wrong("a follow-up has another parent", id, child)
        for id, row in self.history.items():
            if row.client != "local" and row.parent and named[id] != 1 and (
                    self.history.get(row.parent) and self.history[row.parent].kind != "expiry-scan"):
                self.wrong(f"{row.kind} is named by {named[id]} parents", id, row.parent)

    # --- effects (I2) ---

    def effects(self):
        counts = collections.Counter(a.job for a in self.applied)
        for id, row in self.history.items():
            if row.kind not in ("issue", "reissue"):
                continue
            want = 1 if row.state == "done" else 0
            if counts[id] != want:
                self.wrong(f"{row.kind} is {row.state} and has {counts[id]} applications", id)
        for job, n in counts.items():
            if job not in self.history:
                self.wrong(f"{n} applications of a job that is in no table", job)
        for row in self.applied:
            ask = self.asks.get(row.job)
            if ask and ask.end and ask.end["state"] == "done" and (
                    uuid_hex(ask.end["result"]["certificate"]) != row.certificate):
                self.wrong("its client was told another certificate", row.job, row.certificate)
        extra = set(self.certs) - {a.certificate for a in self.applied}
        for id in extra:
            self.wrong("a certificate that nobody applied for", id)

    def audits(self):
        """One line for each decision, and none for what was not decided."""
        lines = collections.Counter((a.job, a.event) for a in self.audit)
        for (job, event), n in lines.items():
            row = self.history.get(job)
            if row is None:
                self.wrong(f"{event} in the audit, of a job in no table", job)
            elif n != 1 and event in AUDITS.values():
                self.wrong(f"{n} times {event} in the audit", job)
        for id, row in self.history.items():
            event = AUDITS.get(row.kind)
            if event and row.state != "done" and lines[id, event]:
                self.wrong(f"{row.kind} is {row.state} and {event} is in the audit", id)
            if event and row.kind != "retrieve" and row.state == "done" and not lines[id, event]:
                self.wrong(f"{row.kind} is done and no {event} is in the audit", id)
        whole = collections.Counter((a.job, a.event, a.subject) for a in self.audit)
        for (job, event, subject), n in whole.items():
            if n != 1:
                self.wrong(f"{n} times {event} in the audit", job, subject)

    # --- mails (I5) ---

    def mails(self):
        kept = self.kept_mails()
        by_message = {f"<{m.message_id.strip('<>')}>": m for m in self.mail.values()}
        for id, row in self.history.items():
            if row.kind == "mail" and id not in self.mail and row.state == "done":
                self.wrong("a mail that is done has no row", id)
        codes = collections.defaultdict(set)
        for message_id, copies in kept.items():
            row = by_message.get(message_id)
            if row is None:
                self.wrong(f"a mail nobody has a row of: {message_id} to {copies[0][0]}")
                continue
            self.figures["mails kept"] += len(copies)
            self.figures["mails kept twice or more"] += len(copies) > 1
            if len(set(copies)) != 1:
                self.wrong(f"{len(copies)} copies that differ", row.id)
            code = CODE.search(copies[0][-1])
            if code:
                codes[code.group()].add(row.id)
        for code, ids in codes.items():
            if len(ids) > 1:
                self.wrong("one code in several mails", *ids)
        for row in self.mail.values():
            self.figures[f"mail {row.state}"] += 1
            self.fate(row, kept.get(f"<{row.message_id.strip('<>')}>", []))

    def fate(self, row, copies):
        if row.id not in self.history:
            self.wrong(f"a mail, {row.state}, of a job in no table", row.id)
        if row.state == "sent" and not copies:
            self.wrong(f"a mail to {row.recipient} is missing", row.id)
        elif row.state == "rejected" and row.recipient not in UNREACHABLE:
            self.wrong(f"a mail to {row.recipient} is rejected", row.id)
        elif row.state in ("sending", "deferred"):
            self.wrong(f"a mail is still {row.state}", row.id)
        elif row.recipient in UNREACHABLE and row.state == "sent":
            self.wrong(f"a mail to {row.recipient} is said to be sent", row.id)

    def kept_mails(self):
        """{Message-ID: [(recipient, from, date, subject, text), ...]}"""
        folder, kept = self.stack.folder / "mail", collections.defaultdict(list)
        for line in (folder / "index.jsonl").read_text().splitlines():
            entry = json.loads(line)
            m = parse((folder / entry["file"]).read_bytes())
            kept[m["Message-ID"]].append((entry["to"][0], str(m["From"]), str(m["Date"]), str(m["Subject"]),
                                          body_of(m)))
        return kept

    # --- certificates (I7) ---

    def certificates(self):
        serials = collections.Counter(c.serial for c in self.certs.values())
        for serial, n in serials.items():
            if n != 1:
                self.wrong(f"{n} certificates with serial {serial}")
        gone = {r.certificate for r in self.revoked}
        for c in self.certs.values():
            self.figures[f"certificate {c.state}"] += 1
            if (c.state == "revoked") != (c.id in gone):
                self.wrong(f"a certificate is {c.state}, and its revocation is "
                           f"{'there' if c.id in gone else 'missing'}", c.id)
            if bool(c.der) != (c.state in ("valid", "revoked")):
                self.wrong(f"a certificate is {c.state} and {'has' if c.der else 'has no'} DER", c.id)
            if c.der and serial_of_certificate(bytes.fromhex(c.der)) != c.serial.lstrip("0"):
                self.wrong("another serial is in the certificate", c.id)
        for id, ask in self.asks.items():
            if ask.kind != "retrieve" or not ask.end or ask.end["state"] != "done":
                continue
            c = self.certs.get(uuid_hex(ask.end["result"]["certificate"]))
            if not c or der_of(ask.end["result"]["pem"]) != bytes.fromhex(c.der or ""):
                self.wrong("the certificate given out is not the one that is kept", id)

    def chains(self):
        """One that is valid, and one end, for each chain of reissues (A6, A9)."""
        roots = collections.defaultdict(list)
        for c in self.certs.values():
            roots[c.root].append(c)
        for root, chain in roots.items():
            valid = [c.id for c in chain if c.state == "valid"]
            if len(valid) > 1:
                self.wrong(f"{len(valid)} valid certificates in one chain", root, *valid)
            ends = {c.not_after_ms for c in chain if c.der}
            if len(ends) > 1:
                self.wrong(f"certificates of one chain end at {sorted(ends)}", root)
        for row in self.applied:
            if row.kind == "reissue" and row.certificate in self.certs:
                self.figures["reissued"] += bool(self.certs[row.certificate].der)

    # --- CRLs ---

    def bytes_of_lists(self):
        """(row of crl, DER) in the order of their numbers; of each, as it was made."""
        for at in range(0, len(self.crls), CRLS_AT_ONCE):
            some = self.crls[at:at + CRLS_AT_ONCE]
            pieces = self.stack.sql(f"SELECT number, HEX(der) FROM chaos_crl WHERE number BETWEEN {some[0].number} "
                                    f"AND {some[-1].number} ORDER BY number, piece")
            for crl in some:
                yield crl, bytes.fromhex("".join(p[1] for p in pieces if p[0] == crl.number))

    def lists(self):
        """Numbers rise by one, nothing leaves a list, and the last has every revoked certificate."""
        self.on_list = {}
        before = set()
        for n, (crl, der) in enumerate(self.bytes_of_lists(), 1):
            serials = serials_of_crl(der)
            self.on_list[int(crl.number)] = serials
            if int(crl.number) != n or len(serials) != int(crl.entries):
                self.wrong(f"CRL {crl.number} with {crl.entries} entries: it is the {n}th, with {len(serials)}",
                           crl.job)
            if before - serials:
                self.wrong(f"CRL {crl.number} has lost {sorted(before - serials)[:3]}", crl.job)
            before = serials
            if crl.job not in self.history or self.history[crl.job].state != "done":
                self.wrong(f"CRL {crl.number} is of a job that is not done", crl.job)
        if before != {r.serial.lstrip("0") for r in self.revoked}:
            self.wrong("the last CRL is not what is revoked")
        made = collections.Counter(c.job for c in self.crls)
        for id, row in self.history.items():
            if row.kind == "crl" and row.state == "done" and made[id] != 1:
                self.wrong(f"{made[id]} CRLs of one job", id)
        self.figures["CRLs"] = len(self.crls)

    def order_of_lists(self):
        """What was known to be revoked before a CRL was asked for is on it."""
        revokes = sorted((a.ended_at, a.end["result"]["serial"].lstrip("0"), a.id) for a in self.asks.values()
                         if a.kind == "revoke" and a.end and a.end["state"] == "done"
                         and a.end["result"]["state"] == "revoked")
        for id, ask in self.asks.items():
            if ask.kind != "crl" or not ask.end or ask.end["state"] != "done":
                continue
            serials = self.on_list.get(ask.end["result"]["number"], set())
            for at, serial, revoke in revokes:
                if at < ask.began and serial not in serials:
                    self.wrong(f"{serial}, revoked before, is not on CRL {ask.end['result']['number']}", revoke, id)

    # --- aggregates (I11) ---

    def versions(self):
        """Versions rise one at a time, and what changes does so under a version its own session raised."""
        version, by = {}, {}
        for row in self.changes:
            at = int(row.version)
            if row.what == "raised":
                last = version.get(row.subscriber)
                if last is not None and at != last + 1:
                    self.wrong(f"a subscriber's version went from {last} to {at}", row.subscriber)
                version[row.subscriber], by[row.subscriber] = at, row.session
            elif version.get(row.subscriber) != at or by.get(row.subscriber) != row.session:
                self.wrong(f"{row.what} became {row.detail} at version {at}, which session {row.session} "
                           "had not raised", row.id, row.subscriber)
        self.figures["versions raised"] = sum(r.what == "raised" for r in self.changes)

    def notices(self):
        """Each that is queued was mailed (X3); its key says that it is one."""
        for row in self.noticed:
            if row.state == "queued" and self.mail.get(row.mail) is None:
                self.wrong(f"a notice at {row.threshold} days has no mail", row.certificate, row.mail)
            if row.job not in self.history:
                self.wrong("a notice of a scan that is in no table", row.certificate, row.job)
        self.figures["notices"] = len(self.noticed)


def der_of(pem):
    return base64.b64decode("".join(line for line in pem.splitlines() if "-----" not in line))


def crl_verifies(stack):
    """By openssl, against the CA."""
    done = subprocess.run(["openssl", "crl", "-inform", "DER", "-in", stack.folder / "crl" / "person-ca.crl",
                           "-CAfile", stack.folder / "ca" / "person-ca.pem", "-noout"], capture_output=True,
                          text=True)
    return "verify OK" in done.stderr + done.stdout
