"""A batch: decoded in order, late by its own record, applied as decided, every record accounted for."""

from collections import Counter

import pytest

from aggregator.pipeline.batch import Batch, apply_batch, decode_batch
from aggregator.pipeline.partition import Partition, fresh_live_meta
from aggregator.windows.engine import WindowEngine
from swapstats.domain.outcome import ELSEWHERE, Outcome
from swapstats.domain.swap import Retraction
from swapstats.domain.window import Window
from swapstats.ports.checkpoint_store import Lease
from swapstats.ports.swap_source import Record
from tests.unit.test_decode import DECODER, NOON, event

GRACE = 120_000
WINDOWS = (Window("5m", 300_000, 5_000),)


def partition(number: int) -> Partition:
    lease = Lease(number, 1, "me", None, 0)
    engine = WindowEngine(WINDOWS, 180_000, NOON)
    return Partition(lease, engine, 0, 0, fresh_live_meta(""), 0, Counter(), 0)


def record(partition: int, offset: int, value: bytes | None, timestamp_ms: int = NOON) -> Record:
    return Record(partition, offset, timestamp_ms, None, value)


def test_claims_and_swaps_belong_together_and_letters_are_set_aside() -> None:
    records = [
        record(0, 5, event(tx_hash="0x1")),
        record(1, 9, b"garbage", NOON - 5),
        record(0, 7, event(tx_hash="0x2", removed=True)),
    ]
    batch = decode_batch(records, DECODER, GRACE)
    assert batch.records == 3
    assert [swap.tx_hash for swap in batch.swaps] == ["0x1", "0x2"]
    taken_out = Retraction.of(batch.swaps[1])
    assert [claim[1:] for claim in batch.claims] == [(0, 5, False, False, None), (0, 7, True, False, taken_out)]
    assert [letter.record for letter in batch.dead_letters] == [records[1]]
    assert batch.last == {0: records[2], 1: records[1]}
    assert batch.oldest_timestamp_ms == NOON


@pytest.mark.parametrize(("behind_ms", "late"), [(-60_000, False), (0, False), (GRACE, False), (GRACE + 1, True)])
def test_late_is_a_matter_of_the_record_alone(behind_ms: int, late: bool) -> None:
    [claim] = decode_batch([record(0, 0, event(), NOON + behind_ms)], DECODER, GRACE).claims
    assert claim.late is late


def batch_of(*removed: bool) -> Batch:
    records = [record(0, n, event(tx_hash=f"0x{n}", removed=gone)) for n, gone in enumerate(removed)]
    return decode_batch(records, DECODER, GRACE)


@pytest.mark.parametrize(
    ("outcome", "removed", "dropped", "applied"),
    [
        # what the window of a partition with one swap holds afterwards, by late policy
        (Outcome.APPLIED, False, 2, 2),
        (Outcome.LATE, False, 1, 2),
        (Outcome.DUPLICATE, False, 1, 1),
        (Outcome.CANCELLED, False, 1, 1),
        (Outcome.RETRACTED, True, 0, 0),
        (Outcome.RETRACTED_LATE, True, 1, 0),
        (Outcome.PARKED, True, 1, 1),
        (Outcome.DUPLICATE, True, 1, 1),
    ],
)
def test_each_outcome_does_what_it_says(outcome: Outcome, removed: bool, dropped: int, applied: int) -> None:
    for counts_late, expected in ((False, dropped), (True, applied)):
        mine = partition(0)
        apply_batch(batch_of(False), [Outcome.APPLIED], {0: mine}, counts_late=False)
        counts = apply_batch(batch_of(removed), [outcome], {0: mine}, counts_late=counts_late)
        part = mine.engine.part("1:0xc02a")
        assert (part.windows[0].trades if part else 0) == expected
        assert counts == {outcome.name.lower(): 1}


@pytest.mark.parametrize("outcome", [Outcome.RETRACTED, Outcome.RETRACTED_LATE])
def test_a_retraction_that_acts_elsewhere_only_counts(outcome: Outcome) -> None:
    mine = partition(0)
    apply_batch(batch_of(False), [Outcome.APPLIED], {0: mine}, counts_late=True)
    batch = batch_of(True, True)
    counts = apply_batch(batch, [outcome + ELSEWHERE, outcome + ELSEWHERE], {0: mine}, counts_late=True)
    assert counts == mine.outcomes - Counter(applied=1) == {outcome.name.lower(): 2}
    part = mine.engine.part("1:0xc02a")
    assert part is not None
    assert part.windows[0].trades == 1


def test_the_same_outcome_here_and_elsewhere_is_counted_as_one_kind() -> None:
    mine = partition(0)
    apply_batch(batch_of(False), [Outcome.APPLIED], {0: mine}, counts_late=False)
    outcomes = [Outcome.RETRACTED, Outcome.RETRACTED + ELSEWHERE]
    assert apply_batch(batch_of(True, True), outcomes, {0: mine}, counts_late=False) == {"retracted": 2}


def test_outcomes_add_up_and_offsets_move_along() -> None:
    values = [event(tx_hash="0x1"), b"", event(tx_hash="0x1"), b"{}"]
    records = [record(n % 2, 10 + n, value) for n, value in enumerate(values)]
    partitions = {0: partition(0), 1: partition(1), 2: partition(2)}
    batch = decode_batch(records, DECODER, GRACE)
    counts = apply_batch(batch, [Outcome.APPLIED, Outcome.DUPLICATE], partitions, counts_late=False)
    assert counts == {"applied": 1, "duplicate": 1, "dead_lettered": 2}
    assert counts.total() == len(records)
    assert partitions[0].outcomes == {"applied": 1, "duplicate": 1}
    assert partitions[1].outcomes == {"dead_lettered": 2}
    assert [partitions[n].next_offset for n in range(3)] == [13, 14, 0]
