"""Figures, what they are held against, and whether the bar is met: printed as they come, and kept."""
import statistics


class Row:
    """
    One figure of a bar: the median of its runs with their spread. Beside it may stand a floor or a
    peer measured in the same run; then the ratio to it is what counts, else the figure itself.
    `least` or `most` is the bar; neither: shown only. `instead` meets the bar too (P11).
    """

    def __init__(self, bar, what, unit, figures, beside=None, least=None, most=None, instead=False,
                 note=""):
        self.bar, self.what, self.unit, self.figures = bar, what, unit, list(figures)
        self.figure = statistics.median(self.figures)
        self.name, self.others = beside or (None, [])
        self.other = statistics.median(self.others) if self.others else None
        self.ratio = self.figure / self.other if self.other else None
        self.least, self.most, self.instead, self.note = least, most, instead, note

    @property
    def met(self):
        value = self.ratio if self.name else self.figure
        if value is None or (self.least is None and self.most is None):
            return None
        return (self.instead or (self.least is None or value >= self.least)
                and (self.most is None or value <= self.most))

    @property
    def ratio_text(self):
        return f"{self.ratio:.2f}" if self.ratio is not None else ""

    @property
    def bar_text(self):
        return (f">= {number(self.least)}" if self.least is not None
                else f"<= {number(self.most)}" if self.most is not None else "")

    @property
    def verdict(self):
        met = {True: "met", False: "NOT MET", None: ""}[self.met]
        return ", ".join(filter(None, (met, self.note)))

    def as_json(self):
        return {"bar": self.bar, "what": self.what, "unit": self.unit, "figure": self.figure,
                "runs": self.figures, "beside": self.name, "beside_figure": self.other,
                "beside_runs": list(self.others), "ratio": self.ratio, "least": self.least,
                "most": self.most, "met": self.met, "note": self.note}


def number(value):
    """Three significant digits, thousands apart."""
    if value is None:
        return ""
    size = abs(value)
    return f"{value:,.0f}" if size >= 100 or value == int(value) else f"{value:.{1 if size >= 10 else 2}f}"


def spread(figures):
    return f"{number(min(figures))}..{number(max(figures))}" if len(set(figures)) > 1 else ""


class Table:
    FORMAT = "{:<4} {:<46} {:>9} {:<3} {:>17}  {:<18} {:>9} {:>6} {:>8}  {}"

    def __init__(self):
        self.rows = []

    def head(self):
        print(self.FORMAT.format("bar", "what", "figure", "", "spread", "beside", "", "ratio", "bar",
                                 ""), flush=True)

    def add(self, row):
        self.rows.append(row)
        print(self.FORMAT.format(
            row.bar, row.what, number(row.figure), row.unit, spread(row.figures), row.name or "",
            number(row.other), row.ratio_text, row.bar_text, row.verdict).rstrip(), flush=True)

    def markdown(self):
        """The same for docs/performance.md."""
        lines = ["| bar | figure | beside | ratio | bar |", "|---|---|---|---|---|"]
        for row in self.rows:
            around = f" ({spread(row.figures)})" if spread(row.figures) else ""
            beside = f"{row.name} {number(row.other)}" if row.name else ""
            bar = ", ".join(filter(None, (row.bar_text, row.verdict)))
            lines.append(f"| {row.bar} {row.what} | {number(row.figure)} {row.unit}{around} | {beside} | "
                         f"{row.ratio_text} | {bar} |")
        return "\n".join(lines) + "\n"
