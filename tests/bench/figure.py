"""Measured values, the goals beside them, and tables of them in Markdown."""

import statistics
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Goal:
    """`most` or `least` is the bound, `text` how it is told."""
    text: str
    most: float = float("inf")
    least: float = float("-inf")

    def is_met(self, value):
        return self.least <= value <= self.most


def at_most(value, unit=""):
    return Goal(f"at most {number(value)}{unit}", most=value)


def at_least(value, unit=""):
    return Goal(f"at least {number(value)}{unit}", least=value)


@dataclass
class Table:
    """`name` is what it is called in docs/PERFORMANCE.md, `head` its columns; the goal and whether it is met come last
    where there is any."""
    name: str
    title: str
    head: tuple = ("", "measured")
    rows: list = field(default_factory=list)
    notes: list = field(default_factory=list)

    def add(self, *cells, value=None, goal=None):
        verdict = ("", "") if goal is None else (goal.text, "ok" if goal.is_met(value) else "**NOT ok**")
        self.rows.append([str(cell) for cell in cells] + list(verdict))

    def missed(self):
        return [row[0] for row in self.rows if row[-1] == "**NOT ok**"]

    def markdown(self):
        rows = [list(self.head) + ["goal", ""], *self.rows]
        if not any(row[-2] for row in self.rows):
            rows = [row[:-2] for row in rows]
        widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
        lines = ["| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths)) + " |" for row in rows]
        lines.insert(1, "|" + "|".join("-" * (width + 2) for width in widths) + "|")
        return "\n".join([f"### {self.title}", *lines, *(f"\n{note}" for note in self.notes)])


def number(value):
    """Three digits that count, and thousands apart."""
    if value is None:
        return ""
    if abs(value) >= 100 or value == int(value):
        return f"{value:,.0f}"
    return f"{value:.{2 if abs(value) < 10 else 1}f}"


def rounded(value):
    """A rate, of which three digits say enough."""
    return f"{float(f'{value:.3g}'):,.0f}"


def megabytes(value):
    return f"{value / 1e6:.1f} MB"


median = statistics.median


def fastest(runs):
    """Of runs of the same: what else the machine does can only make one slower."""
    return max(runs, key=lambda run: run.rate)


def percentile(values, share):
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


def percentile_of_weighted(weighted, share):
    """Of [(value, weight)]."""
    wanted = sum(weight for _, weight in weighted) * share
    for value, weight in sorted(weighted):
        wanted -= weight
        if wanted <= 0:
            return value
    return float("nan")
