"""Each rule of the services has its row in docs/products.md, with tests that are there (`ctest -L rules`); and the words
that jobs are refused with, and that the audit says, are in docs/protocol.md and docs/security.md."""
import pathlib
import re
import unittest

SOURCE = pathlib.Path(__file__).resolve().parents[1]
COUNTS = {"A": 11, "B": 10, "C": 9, "D": 11, "E": 5, "X": 9}
ROW = re.compile(r"^\| ([A-EX]\d+) \| (.*) \|$", re.M)


def rows(text):
    """[(id, [(file, test), ...])] of the table, in its order."""
    found = []
    for rule, cell in ROW.findall(text):
        tests = []
        for part in cell.split(";"):
            name, _, names = part.strip().partition(": ")
            tests += [(name, test.strip()) for test in names.split(",")]
        found.append((rule, tests))
    return found


def flaws(text, folder):
    """What is wrong with the table: sentences."""
    table = rows(text)
    ids = [rule for rule, _ in table]
    wanted = [f"{letter}{n}" for letter, count in COUNTS.items() for n in range(1, count + 1)]
    wrong = [f"{rule} has no row" for rule in wanted if rule not in ids]
    wrong += [f"{rule} is no rule, or has two rows" for rule in ids if rule not in wanted or ids.count(rule) > 1]
    for rule, tests in table:
        for name, test in tests:
            paths = [p for p in folder.glob(f"*/{name}") if p.parent.name in ("unit", "integration", "system")]
            if not paths:
                wrong.append(f"{rule}: there is no {name}")
            elif not runs(paths[0].read_text(), test):
                wrong.append(f"{rule}: {name} runs no {test}")
    return wrong


def runs(text, test):
    """Does this file define such a test, and run it?"""
    if re.search(rf"^    def {test}\(self", text, re.M):
        return True
    return bool(re.search(rf"^static void {test}\(void \*\*", text, re.M)) and bool(
        re.search(rf"cmocka_unit_test\w*\(\s*{test}\b", text) or re.search(rf"\b\w+\({test}\)", text))


class Rules(unittest.TestCase):

    def setUp(self):
        self.text = (SOURCE / "docs" / "products.md").read_text()

    def test_every_rule_has_its_tests(self):
        self.assertEqual(flaws(self.text, SOURCE / "tests"), [])

    def test_what_is_missing_is_told(self):
        some = self.text.replace("| X7 |", "| X77 |").replace("contradictions_are_refused", "nothing_is_refused")
        self.assertEqual(flaws(some, SOURCE / "tests"), [
            "X7 has no row", "X77 is no rule, or has two rows", "X77: test_policy_flaws.c runs no nothing_is_refused"])
        gone = self.text.replace("test_policy_flaws.c", "test_of_nothing.c")
        self.assertEqual(flaws(gone, SOURCE / "tests"), ["X7: there is no test_of_nothing.c"])


class Words(unittest.TestCase):

    def check(self, function, document):
        sources = [*SOURCE.glob("common/lifecycle/*.c"), *SOURCE.glob("workers/**/*.c")]
        calls = [call for path in sources for call in re.findall(rf"{function}\(\s*[^,]+,\s*([^;]*)", path.read_text())]
        words = {word for call in calls for word in re.findall(r'^"([a-z.-]+)"', call)}
        text = (SOURCE / "docs" / document).read_text()
        self.assertGreater(len(words), 20)
        self.assertEqual(sorted(word for word in words if f"`{word}`" not in text), [])

    def test_what_jobs_are_refused_with(self):
        self.check("plan_refuse", "protocol.md")

    def test_what_the_audit_says(self):
        self.check("plan_audit", "security.md")


if __name__ == "__main__":
    unittest.main()
