"""How a metric is declared, and the list of all that were."""

from collections.abc import Iterable, Iterator, Sequence
from importlib import import_module
from typing import Literal, NamedTuple

from prometheus_client import Counter, Gauge, Histogram, disable_created_metrics

Shown = Literal["consume", "archive", "web", "all"]
Merge = Literal["livesum", "livemin", "livemax", "max"]

MILLISECONDS = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000, 30_000, 60_000)
"""From a store's answer on the same machine to a backlog."""
ROWS = (1, 10, 50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000, 50_000)
"""Sizes of batches."""

MODULES = (
    "aggregator.metrics",
    "swapstats.metrics.stores",
    "aggregator.archive.metrics",
    "realtime.metrics",
    "swapstats.metrics.alarms",
)
"""Where metrics are declared: each room has its own."""

# A series each that says when another began; nothing here asks for it.
disable_created_metrics()  # type: ignore[no-untyped-call]


class Metric(NamedTuple):
    """One declaration. `name` is the family's, as it is written in queries; `shown_by` names the processes that have
    it; `merge` says how several web processes of one machine add up."""

    name: str
    kind: Literal["counter", "gauge", "histogram"]
    meaning: str
    labels: tuple[str, ...]
    shown_by: Shown
    buckets: tuple[float, ...] = ()

    @property
    def series(self) -> tuple[str, ...]:
        """The names that queries may use."""
        if self.kind == "histogram":
            return tuple(f"{self.name}_{part}" for part in ("bucket", "sum", "count"))
        return (self.name,)


_declared: dict[str, Metric] = {}


def counter(shown_by: Shown, name: str, meaning: str, *labels: str, known: Iterable[str] = ()) -> Counter:
    """`name` ends in `_total`. `known` are values of its only label that are shown from the beginning, as 0: a series
    that begins at 1 hides its first increase."""
    _declare(Metric(name, "counter", meaning, labels, shown_by))
    declared = Counter(name, meaning, labels)
    for value in known:
        declared.labels(value)
    return declared


def gauge(shown_by: Shown, name: str, meaning: str, *labels: str, merge: Merge = "livesum") -> Gauge:
    _declare(Metric(name, "gauge", meaning, labels, shown_by))
    return Gauge(name, meaning, labels, multiprocess_mode=merge)


def histogram(
    shown_by: Shown, name: str, meaning: str, *labels: str, buckets: Sequence[float] = MILLISECONDS
) -> Histogram:
    _declare(Metric(name, "histogram", meaning, labels, shown_by, tuple(buckets)))
    return Histogram(name, meaning, labels, buckets=buckets)


def catalogue() -> Iterator[Metric]:
    """Every metric, in the order of the modules that declare them."""
    for module in MODULES:
        import_module(module)
    yield from _declared.values()


def _declare(metric: Metric) -> None:
    if metric.name in _declared:
        raise ValueError(f"the metric {metric.name} is declared twice")
    _declared[metric.name] = metric
