"""The catalogue of metrics: complete, documented, and adding up."""

import re
from collections import Counter
from pathlib import Path

import pytest
from prometheus_client import REGISTRY

from aggregator import metrics
from aggregator.pipeline.batch import Batch
from aggregator.pipeline.observer import Observer
from swapstats.domain.outcome import Outcome
from swapstats.domain.swap import Invalid, InvalidReason, Swap
from swapstats.metrics.catalogue import catalogue, counter
from swapstats.metrics.document import PAGE, page
from swapstats.ports.dead_letters import DeadLetter
from swapstats.ports.ledger import Claim
from swapstats.ports.swap_source import Record

ROOT = Path(__file__).resolve().parents[2]
CONTRACT = {
    "events_ingested_total": ("counter", ()),
    "events_applied_total": ("counter", ()),
    "dedupe_hits_total": ("counter", ()),
    "events_late_total": ("counter", ()),
    "events_retracted_total": ("counter", ()),
    "events_dead_lettered_total": ("counter", ("reason",)),
    "consumer_lag_seconds": ("gauge", ("partition",)),
    "window_apply_latency_ms": ("histogram", ()),
    "snapshot_duration_ms": ("histogram", ()),
    "ws_clients_gauge": ("gauge", ()),
    "ws_dropped_msgs_total": ("counter", ()),
    "clickhouse_batch_size": ("histogram", ()),
    "clickhouse_flush_duration_ms": ("histogram", ()),
}


def test_the_contracts_metrics_are_there_under_their_names():
    found = {metric.name: (metric.kind, metric.labels) for metric in catalogue()}
    assert {name: found.get(name) for name in CONTRACT} == CONTRACT


def test_each_metric_is_exposed_under_the_name_it_was_declared_with():
    declared = {metric.name.removesuffix("_total") for metric in catalogue()}
    assert declared <= {family.name for family in REGISTRY.collect()}


def test_the_page_about_metrics_is_as_make_docs_writes_it():
    assert PAGE.read_text(encoding="utf-8") == page()


def test_counters_are_named_as_such_and_nothing_else_is():
    assert {m.name for m in catalogue() if m.name.endswith("_total") != (m.kind == "counter")} == set()


def test_a_metric_is_declared_once():
    with pytest.raises(ValueError, match="events_ingested_total is declared twice"):
        counter("consume", "events_ingested_total", "again")


def test_metrics_are_declared_through_the_catalogue_only():
    declares = re.compile(r"from prometheus_client import .*\b(Counter|Gauge|Histogram|Summary)\b")
    tops = ("swapstats", "aggregator", "realtime", "api", "settings")
    sources = [path for top in tops for path in (ROOT / top).rglob("*.py")]
    assert [path.name for path in sources if declares.search(path.read_text())] == ["catalogue.py"]


def _counted() -> dict[str, float]:
    """The outcomes' counters and the number of records, as they are exposed now."""
    names = {metric.name for metric in catalogue() if metric.name.startswith(("events_", "dedupe_"))}
    totals: Counter[str] = Counter()
    for family in REGISTRY.collect():
        for sample in family.samples:
            if sample.name in names:
                totals[sample.name] += sample.value
    return dict(totals)


def _swap() -> Swap:
    token = "0x" + 40 * "a"
    return Swap("1:0x1:0", f"1:{token}", True, 1, 1, 1_000, False, None, None, None, 1, "0x1", 0, token, None, None)


def _batch(outcomes: list[Outcome]) -> Batch:
    """One record for each of these outcomes, and one dead letter for each reason there is."""
    swaps = [_swap() for _ in outcomes]
    claims = [Claim(bytes([i]) * 16, 0, i, removed=False, late=False) for i in range(len(outcomes))]
    last = Record(0, 999, 1_000, None, b"")
    letters = [DeadLetter(last, Invalid(reason, "")) for reason in InvalidReason]
    return Batch(len(outcomes) + len(letters), swaps, claims, letters, {0: last}, 1_000)


def test_outcomes_add_up_to_the_records_read():
    before = _counted()
    batch = _batch([outcome for outcome in Outcome if outcome is not Outcome.DEAD_LETTERED])
    names = [outcome.name.lower() for outcome in Outcome if outcome is not Outcome.DEAD_LETTERED]
    Observer().applied(batch, Counter(names) + Counter({"dead_lettered": len(batch.dead_letters)}))
    grown = {name: value - before.get(name, 0) for name, value in _counted().items()}
    read = grown.pop("events_ingested_total")
    assert read == batch.records == sum(grown.values())
    assert all(grown.values()), "each kind of outcome has a counter of its own"


def test_each_outcome_is_counted_somewhere():
    assert {*metrics.BY_OUTCOME, Outcome.DEAD_LETTERED} == set(Outcome)
