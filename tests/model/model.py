#!/usr/bin/python3
"""Checks jobs.pml and mail.pml with spin, every interleaving within their budgets; and that spin notices
when a guard is taken away. --deep: with larger budgets too, a few minutes."""
import argparse
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent

# (model, budgets): nothing may be wrong.
HOLDS = [
    ("jobs", "DEATHS=1 LOST=1 EARLY=0"),
    ("jobs", "DEATHS=1 LOST=0 EARLY=1 SENDS=1"),
    ("jobs", "DEATHS=0 LOST=1 EARLY=1 FAILS=1 SENDS=1"),
    ("jobs", "DEATHS=0 LOST=1 EARLY=0 JOBS=2 SENDS=1"),
    ("mail", "DEATHS=1 LOST=1 TROUBLE=1"),
    ("mail", "DEATHS=0 LOST=1 ENDS"),
]
DEEP = [
    ("jobs", "DEATHS=1 LOST=1 EARLY=1"),
    ("jobs", "DEATHS=0 LOST=1 EARLY=1 FAILS=1"),
    ("jobs", "DEATHS=0 LOST=0 EARLY=1 FAILS=2"),
    ("jobs", "DEATHS=1 LOST=0 EARLY=0 JOBS=2 SENDS=1"),
    ("jobs", "DEATHS=0 LOST=1 EARLY=1 JOBS=2 SENDS=1"),
    ("mail", "DEATHS=2 LOST=2 TROUBLE=2"),
    ("mail", "DEATHS=1 LOST=1 ENDS"),
]
# (model, budgets, guards that are gone, the assertion that must fail): the model can see it.
BREAKS = [
    ("jobs", "DEATHS=1 LOST=0 EARLY=0", "NO_COMMIT_FIRST", "row[j]||done[j]"),
    ("jobs", "DEATHS=0 LOST=0 EARLY=0", "NO_LATE_LOOK", "!((row[j]&&done[j]))"),
    ("jobs", "DEATHS=0 LOST=0 EARLY=1", "NO_ROW_LOCK NO_DELETE_CHECK NO_HISTORY_KEY", "effects[j]==1"),
    ("jobs", "DEATHS=0 LOST=1 EARLY=0 FAILS=1", "NO_ATTEMPT_GUARD", "failures[j]<="),
    ("jobs", "DEATHS=0 LOST=0 EARLY=0 JOBS=2 SENDS=1", "NO_VERSION_RAISE", "decided&(1<<from)"),
    ("jobs", "DEATHS=0 LOST=0 EARLY=1", "NO_EPOCH_CHECK", "taken&(1<<epoch)"),
    ("jobs", "DEATHS=1 LOST=0 EARLY=0", "NO_ADOPTION", "!(row[j])"),
    ("jobs", "DEATHS=0 LOST=0 EARLY=0", "NO_HEADS", "!(row[j])"),
    ("mail", "DEATHS=0 LOST=0", "NO_MARK", "excused"),
    ("mail", "DEATHS=0 LOST=0", "NO_DOUBT", "taken"),
    ("mail", "DEATHS=1 LOST=0", "SENT_FIRST", "mail==3"),
    ("mail", "DEATHS=0 LOST=0", "NO_CODE_CHECK", "is_current"),
    ("mail", "DEATHS=0 LOST=1", "NO_HOLDER_CHECK", "mail==3"),
]
# Guards of which one is enough: with two of the three gone the effect is still single.
SPARES = [
    ("jobs", "DEATHS=0 LOST=0 EARLY=1 NO_ROW_LOCK NO_DELETE_CHECK"),
    ("jobs", "DEATHS=0 LOST=0 EARLY=1 NO_ROW_LOCK NO_HISTORY_KEY"),
]


def check(model, budgets, optimise):
    """pan's output."""
    defines = [f"-D{word}" for word in budgets.split()]
    ends = "ENDS" in budgets.split()
    with tempfile.TemporaryDirectory(prefix="certq-model-") as folder:
        subprocess.run(["spin", "-a", *defines, HERE / f"{model}.pml"], cwd=folder, check=True,
                       stdout=subprocess.DEVNULL)
        options = ["-DNFAIR=6"] if ends else ["-DSAFETY", "-DNOFAIR"]
        subprocess.run(["cc", "-O1" if optimise else "-O0", "-w", "-DCOLLAPSE", *options, "-o", "pan", "pan.c"],
                       cwd=folder, check=True, stderr=subprocess.DEVNULL)
        done = subprocess.run(["./pan", "-m1000000", "-n", *(["-a", "-f", "-N", "ends"] if ends else [])],
                              cwd=folder, capture_output=True, text=True)
        return done.stdout + done.stderr


def said(output):
    wrong = re.search(r"pan:\d+: (.*)", output)
    states = re.search(r"(\d+) states, stored", output)
    return (wrong.group(1) if wrong else None), int(states.group(1)) if states else 0


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--deep", action="store_true")
    options = parser.parse_args()
    if not shutil.which("spin"):
        sys.exit("model.py: spin is not installed: scripts/deps")
    failed = False
    for model, budgets in HOLDS + SPARES + (DEEP if options.deep else []):
        output = check(model, budgets, True)
        wrong, states = said(output)
        ok = wrong is None and "errors: 0" in output and "Search not completed" not in output
        failed |= not ok
        print(f"{'ok  ' if ok else 'BAD '} {model} {budgets}: {states} states{', ' + wrong if wrong else ''}",
              flush=True)
        if not ok:
            print(output)
    for model, budgets, gone, assertion in BREAKS:
        wrong, states = said(check(model, f"{budgets} {' '.join(gone.split())}", False))
        ok = wrong is not None and assertion in wrong.replace(" ", "")
        failed |= not ok
        print(f"{'ok  ' if ok else 'BAD '} {model} without its guard, {gone}: {wrong or 'nothing found'}", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
