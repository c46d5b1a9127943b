"""Figures of one run after the other, kept in docs/performance-trend.csv, so that a slowdown is seen."""

import csv
import subprocess
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from os import cpu_count
from pathlib import Path
from platform import machine
from typing import Literal, NamedTuple

from tests.load.report import DOCS, Row

TREND = DOCS / "performance-trend.csv"
COLUMNS = ("date", "commit", "machine", "figure", "value", "unit", "better")
TOLERANCE = 0.3
"""By so much a figure may be worse than last time: two runs on one quiet machine differ by up to a fifth."""


class Figure(NamedTuple):
    """`better` says which way is good; a figure with neither is told, and not followed."""

    name: str
    value: float
    unit: str = ""
    better: Literal["lower", "higher", ""] = ""

    @property
    def row(self) -> Row:
        digits = 0 if self.value == int(self.value) or abs(self.value) >= 100 else 1
        return self.name, f"{self.value:,.{digits}f} {self.unit}".strip()


def follow(figures: Sequence[Figure], path: Path = TREND) -> list[str]:
    """Adds what is to be followed to the file; says what got slower since this machine's last entry."""
    before, computer = _latest(path), this_machine()
    followed = [figure for figure in figures if figure.better]
    stamp = (datetime.now(UTC).strftime("%Y-%m-%dT%H:%MZ"), _commit(), computer)
    is_new = not path.exists()
    with path.open("a", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        if is_new:
            writer.writerow(COLUMNS)
        writer.writerows((*stamp, f.name, f"{f.value:.3f}", f.unit, f.better) for f in followed)
    return list(_slower(followed, {name: value for (where, name), value in before.items() if where == computer}))


def this_machine() -> str:
    """What figures must share to be comparable."""
    models = [line for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")]
    model = models[0].partition(":")[2].strip() if models else machine()
    return f"{cpu_count()} × {model}"


def _latest(path: Path) -> dict[tuple[str, str], float]:
    """By machine and figure."""
    if not path.exists():
        return {}
    with path.open(newline="") as file:
        return {(row["machine"], row["figure"]): float(row["value"]) for row in csv.DictReader(file)}


def _slower(figures: Sequence[Figure], before: dict[str, float]) -> Iterator[str]:
    for figure in figures:
        was, now = before.get(figure.name), figure.value
        if was is None:
            continue
        worse = now > was * (1 + TOLERANCE) if figure.better == "lower" else now < was / (1 + TOLERANCE)
        if worse:
            yield f"{figure.name}: {was:,.1f} → {now:,.1f} {figure.unit}".strip()


def _commit() -> str:
    words = ["git", "rev-parse", "--short", "HEAD"]
    done = subprocess.run(words, cwd=DOCS, capture_output=True, text=True, check=False)
    return done.stdout.strip() or "unknown"
