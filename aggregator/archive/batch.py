"""What was read and waits to be written, cut into batches."""

from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from swapstats.domain.swap import Invalid, Swap
from swapstats.ports.swap_archive import MAX_BATCH, Row
from swapstats.ports.swap_source import Record

Decode = Callable[[Record], Swap | Invalid]


@dataclass
class Batch:
    """A stretch of the log's partitions: its valid records as rows, and where each partition goes on behind it."""

    since: float
    rows: list[Row] = field(default_factory=list)
    first: dict[int, int] = field(default_factory=dict)
    following: dict[int, int] = field(default_factory=dict)
    records: int = 0
    invalid: int = 0
    held: int = 0
    """How many of its records the archive held before."""

    def has_room(self, record: Record) -> bool:
        span = record.offset - self.first.get(record.partition, record.offset)
        return self.records < MAX_BATCH and span < MAX_BATCH


class Inbox:
    """Batches in the making. One is due when `batch_rows` rows are in it, when its oldest record has waited for
    `batch_interval_s`, or when there is another behind it; until it is taken it grows, up to MAX_BATCH records."""

    def __init__(self, decode: Decode, grace_ms: int, batch_rows: int, batch_interval_s: float) -> None:
        self._decode = decode
        self._grace_ms = grace_ms
        self._batch_rows = batch_rows
        self._batch_interval_s = batch_interval_s
        self._batches: deque[Batch] = deque()
        self._held: dict[int, frozenset[int]] = {}

    def begin(self, partition: int, held: frozenset[int]) -> None:
        """Says which of the records to come the archive holds already."""
        self._held[partition] = held

    def add(self, records: Iterable[Record], now: float) -> None:
        for record in records:
            if not self._batches or not self._batches[-1].has_room(record):
                self._batches.append(Batch(now))
            self._add(self._batches[-1], record)

    def _add(self, batch: Batch, record: Record) -> None:
        partition, offset, timestamp_ms = record.partition, record.offset, record.timestamp_ms
        swap = self._decode(record)
        batch.records += 1
        batch.first.setdefault(partition, offset)
        batch.following[partition] = offset + 1
        if isinstance(swap, Invalid):
            batch.invalid += 1
        elif offset in self._held[partition]:
            batch.held += 1
        else:
            late = not swap.removed and timestamp_ms - swap.event_time_ms > self._grace_ms
            batch.rows.append(Row(partition, offset, timestamp_ms, late, swap))

    def take(self, now: float, *, hurry: bool = False) -> Batch | None:
        """The oldest batch if it is due; in a `hurry` any is."""
        if not self._batches:
            return None
        batch = self._batches[0]
        due = len(self._batches) > 1 or len(batch.rows) >= self._batch_rows
        if due or hurry or now - batch.since >= self._batch_interval_s:
            return self._batches.popleft()
        return None

    def clear(self) -> None:
        self._batches.clear()
        self._held.clear()

    @property
    def is_full(self) -> bool:
        """A whole batch waits: more would only take memory."""
        return len(self._batches) > 1
