"""A slowdown is seen: figures are compared with the last entry of the same machine."""

import csv
from pathlib import Path

from tests.load import trend
from tests.load.trend import Figure, follow


def latency(value: float) -> Figure:
    return Figure("p99", value, "ms", "lower")


def test_nothing_is_slower_than_nothing(tmp_path: Path):
    assert follow([latency(10)], tmp_path / "trend.csv") == []


def test_what_got_worse_by_more_than_noise_is_told(tmp_path: Path):
    path = tmp_path / "trend.csv"
    follow([latency(10), Figure("rate", 1_000, "", "higher")], path)
    assert follow([latency(12), Figure("rate", 900, "", "higher")], path) == []
    assert follow([latency(20), Figure("rate", 500, "", "higher")], path) == [
        "p99: 12.0 → 20.0 ms",
        "rate: 900.0 → 500.0",
    ]


def test_only_the_same_machine_is_compared(tmp_path: Path, monkeypatch):
    path = tmp_path / "trend.csv"
    monkeypatch.setattr(trend, "this_machine", lambda: "64 × quick")
    follow([latency(1)], path)
    monkeypatch.setattr(trend, "this_machine", lambda: "2 × slow")
    assert follow([latency(10)], path) == []
    assert follow([latency(100)], path)


def test_what_has_no_better_way_is_not_followed(tmp_path: Path):
    path = tmp_path / "trend.csv"
    follow([Figure("records", 5), latency(1.5)], path)
    with path.open(newline="") as file:
        assert [(row["figure"], row["value"], row["unit"]) for row in csv.DictReader(file)] == [("p99", "1.500", "ms")]


def test_figures_are_written_for_people():
    assert Figure("memory", 12345.6, "MB").row == ("memory", "12,346 MB")
    assert Figure("p50", 4.25, "ms").row == ("p50", "4.2 ms")
    assert Figure("swaps lost", 0).row == ("swaps lost", "0")
