"""What is noted first is told as if it had been told at once."""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, Histogram

from api.direct.metrics import AnswerCounter
from swapstats.metrics import noted
from swapstats.metrics.noted import NotedHistogram, tell_noted, tell_soon
from tests.unit.test_direct import counted

BUCKETS = (0.001, 0.01, 1, 1_000)


def _shown(tell: Callable[[Histogram], None]) -> dict[tuple[str, str], float]:
    registry = CollectorRegistry()
    tell(Histogram("seconds", "Some.", buckets=BUCKETS, registry=registry))
    samples = [sample for family in registry.collect() for sample in family.samples]
    return {(sample.name, sample.labels.get("le", "")): sample.value for sample in samples}


@given(st.lists(st.tuples(st.sampled_from((0, 0.001, 0.0011, 0.5, 1, 1_000, 1e9)), st.booleans())))
def test_histograms(amounts: list[tuple[float, bool]]) -> None:
    def at_once(histogram: Histogram) -> None:
        for amount, _ in amounts:
            histogram.observe(amount)

    def later(histogram: Histogram) -> None:
        kept = NotedHistogram(histogram)
        for amount, is_told in amounts:
            kept.note(amount)
            if is_told:
                kept.tell()
        kept.tell()

    assert _shown(later) == pytest.approx(_shown(at_once))


def test_numbers_of_many_threads_add_up() -> None:
    counter = AnswerCounter("some-view", 200, "https")
    before = counted()
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda number: (counter.count(700, 0.002), number % 50 or tell_noted()), range(4_000)))
    growth = {key: value - before.get(key, 0) for key, value in counted().items() if value != before.get(key, 0)}
    assert set(growth.values()) == {4_000}
    assert ("django_http_responses_total_by_status_view_method_total", "200", "GET", "some-view") in growth


def test_they_are_told_before_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(noted, "TELL_AFTER_S", 0.05)
    tell_noted()
    told: list[int] = []
    for number in (1, 2):
        tell_soon(lambda number=number: told.append(number))
        assert told == list(range(1, number))
        deadline = time.monotonic() + 5
        while len(told) < number and time.monotonic() < deadline:
            time.sleep(0.01)
        assert told == list(range(1, number + 1))
