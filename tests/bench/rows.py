"""Rows by the million, quickly: copies of one real row, made inside the server by its sequence engine."""
import time

DAY_MS = 86_400_000
CHUNK = 1_000_000  # rows of one transaction


def spread_id(n, space=0):
    """Ids over the whole range, as random ones are, and in order, which loads fastest."""
    step = (1 << 64) // (n + 1)
    return f"UNHEX(CONCAT(LPAD(HEX(seq * {step}), 16, '0'), '{space:02x}', LPAD(HEX(seq), 14, '0')))"


def v7_id(before_ms):
    """Ids of version 7 of that time, a hundred a millisecond."""
    return (f"UNHEX(CONCAT(LPAD(HEX({before_ms} + seq DIV 100), 12, '0'), '7', "
            "LPAD(HEX(seq MOD 100), 3, '0'), '80', LPAD(HEX(seq), 14, '0')))")


def clone(lab, table, where, n, columns, first=1):
    """
    Copies a row that `where` finds n times; `columns` are SQL expressions of seq (first…) and
    of the row `p` for what differs.
    """
    names = [name for name, in lab.stack.sql(
        "SELECT column_name FROM information_schema.columns WHERE table_schema = 'certq' AND "
        f"table_name = '{table}' ORDER BY ordinal_position")]
    ((template,),) = lab.stack.sql(f"SELECT HEX(id) FROM {table} WHERE {where} LIMIT 1")
    into = ", ".join(f"`{name}`" for name in names)
    values = ", ".join(columns.get(name, f"p.`{name}`") for name in names)
    _insert(lab, f"INSERT INTO {table} ({into}) SELECT {values} FROM (SELECT * FROM {table} WHERE id = "
            f"UNHEX('{template}') LIMIT 1) p JOIN", first, n)
    lab.sql(f"ANALYZE TABLE {table}")


def _insert(lab, select, first, n):
    """`select` wants the name of a sequence after it."""
    for at in range(first, first + n, CHUNK):
        last = min(at + CHUNK, first + n) - 1
        lab.sql(f"SET SESSION unique_checks = 0; {select} seq_{at}_to_{last}")


def history(lab, n, ids):
    """n finished jobs, copies of one that is there."""
    now_ms = int(time.time() * 1000)
    clone(lab, "job_history", "1 = 1", n,
          {"id": v7_id(now_ms - 30 * DAY_MS) if ids == "v7" else spread_id(n)})


def jobs(lab, n):
    """n waiting jobs, copies of one that is there, over all slots."""
    now_ms = int(time.time() * 1000)
    clone(lab, "job", "1 = 1", n, {"id": v7_id(now_ms - DAY_MS), "slot": "seq MOD 16", "rank": "p.`rank` + seq DIV 50"})


def subscribers(lab, n, first=1):
    """Copies of the subscriber bench-0: bench-1, bench-2 …; the ids are spread_id(…, 1)."""
    named = {name: f"REPLACE(p.{name}, 'bench-0', CONCAT('bench-', seq))"
             for name in ("unit_key", "email", "user_id", "profile")}
    clone(lab, "subscriber", "user_id = 'bench-0'", n, {"id": spread_id(n, 1), **named}, first)


def awaiting(lab, n):
    """People bench-1 … in the state of bench-0, whose certificate waits to be retrieved."""
    subscribers(lab, n)
    clone(lab, "application", "1 = 1", n,
          {"id": spread_id(n, 2), "subscriber": spread_id(n, 1), "certificate": spread_id(n, 3)})
    clone(lab, "certificate", "1 = 1", n, {
        "id": spread_id(n, 3), "subscriber": spread_id(n, 1), "application": spread_id(n, 2),
        "root": spread_id(n, 3), "serial": serial()})


def serial():
    """As long as a real one, in no order."""
    mixed = "LPAD(HEX(seq * 2654435761 MOD 4294967296), 8, '0')"
    return f"UNHEX(CONCAT('40', {mixed}, LPAD(HEX(seq), 22, '0')))"


def certificates(lab, n, due, days, start_ms):
    """
    n valid certificates, of which `due` come 30 days before their end on each of `days` days from
    start_ms, as many again were told already, and the others end later. Each of those that are or
    were due has a subscriber of its own; the others share a thousand.
    """
    near, shared = due * days, 1000
    own = min(n, 2 * near)
    people = own + shared
    subscribers(lab, people)
    owner = spread_id(people, 1).replace("seq", f"IF(seq <= {own}, seq, {own} + 1 + seq MOD {shared})")
    end = (f"{start_ms} + CASE WHEN seq <= {near} THEN {DAY_MS} * (30 + (seq - 1) DIV {due}) "
           f"WHEN seq <= {own} THEN {DAY_MS} * 25 ELSE {DAY_MS} * (60 + seq MOD 600) END")
    clone(lab, "certificate", "1 = 1", n, {
        "id": spread_id(n, 3), "root": spread_id(n, 3), "serial": serial(), "subscriber": owner,
        "not_after_ms": end, "der": f"IF(seq <= {own}, p.der, NULL)",
        "noticed_days": f"IF(seq > {near} AND seq <= {own}, 30, 65535)"})


def revocations(lab, n):
    now_ms = int(time.time() * 1000)
    _insert(lab, "INSERT INTO revocation (issuer, serial, certificate, revoked_ms, reason, not_after_ms, "
            f"job) SELECT 'person-ca', {serial()}, {spread_id(n, 3)}, {now_ms - DAY_MS} - seq, "
            f"ELT(1 + seq MOD 3, 1, 4, 5), {now_ms + 300 * DAY_MS}, {spread_id(n, 4)} FROM", 1, n)
    lab.sql("ANALYZE TABLE revocation")
