"""When what was read for the archive is written."""

from aggregator.archive.batch import Inbox
from swapstats.domain.swap import Invalid, InvalidReason
from swapstats.ports.swap_archive import MAX_BATCH
from swapstats.ports.swap_source import Record
from tests.integration.archive_model import GRACE_MS, NOON_MS, make_swap

SWAP = make_swap()


def inbox_of(records: int, *, since: float = 0.0, partition: int = 0) -> Inbox:
    """Batches are due at 10 rows, or after a second."""
    inbox = Inbox(lambda _: SWAP, GRACE_MS, 10, 1.0)
    inbox.add([Record(partition, offset, NOON_MS, None, b"") for offset in range(records)], since)
    return inbox


def test_a_batch_is_due_when_it_has_enough_rows():
    assert inbox_of(9).take(0.5) is None
    batch = inbox_of(10).take(0.5)
    assert len(batch.rows) == 10
    assert batch.following == {0: 10}


def test_a_batch_is_due_when_its_oldest_record_has_waited():
    inbox = inbox_of(1)
    assert inbox.take(0.9) is None
    assert len(inbox.take(1.0).rows) == 1
    assert inbox.take(9.0) is None


def test_who_is_behind_the_log_lets_it_grow_until_then():
    inbox = inbox_of(500)
    assert inbox.take(0.9, behind=True) is None
    assert len(inbox.take(1.0, behind=True).rows) == 500


def test_a_full_one_waits_for_nothing():
    inbox = inbox_of(MAX_BATCH + 5)
    assert inbox.is_full
    assert len(inbox.take(0.0, behind=True).rows) == MAX_BATCH
    assert not inbox.is_full
    assert inbox.take(0.0, behind=True) is None


def test_no_batch_is_wider_than_the_promise_says():
    inbox = Inbox(lambda _: SWAP, GRACE_MS, 10, 1.0)
    inbox.add([Record(0, offset, NOON_MS, None, b"") for offset in (0, MAX_BATCH - 1, MAX_BATCH)], 0.0)
    assert [row.offset for row in inbox.take(0.0).rows] == [0, MAX_BATCH - 1]
    assert [row.offset for row in inbox.take(0.0, hurry=True).rows] == [MAX_BATCH]


def test_records_that_are_no_swaps_or_held_are_passed_over():
    refused = Invalid(InvalidReason.MISSING_FIELD, "")
    inbox = Inbox(lambda record: refused if record.offset == 1 else SWAP, GRACE_MS, 10, 1.0)
    inbox.begin(0, frozenset({2}))
    inbox.add([Record(0, offset, NOON_MS, None, b"") for offset in range(4)], 0.0)
    batch = inbox.take(1.0)
    assert [row.offset for row in batch.rows] == [0, 3]
    assert (batch.records, batch.invalid, batch.held, batch.following) == (4, 1, 1, {0: 4})
