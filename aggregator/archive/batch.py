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

    def has_room(self, partition: int, offset: int) -> bool:
        return self.records < MAX_BATCH and offset - self.first.setdefault(partition, offset) < MAX_BATCH


class Inbox:
    """Batches in the making. One is due when `batch_rows` rows are in it, when its oldest record has waited for
    `batch_interval_s`, or when there is another behind it; until it is taken it grows, up to MAX_BATCH records. Who is
    behind the log does not ask for the first: an insert costs the server as much as several thousand rows of it."""

    def __init__(self, decode: Decode, grace_ms: int, batch_rows: int, batch_interval_s: float) -> None:
        self._decode = decode
        self._grace_ms = grace_ms
        self._batch_rows = batch_rows
        self._batch_interval_s = batch_interval_s
        self._batches: deque[Batch] = deque()
        self._held: dict[int, frozenset[int]] = {}

    def begin(self, partition: int, held: frozenset[int]) -> None:
        """Says which of the records to come the archive holds already."""
        if held:
            self._held[partition] = held
        else:
            self._held.pop(partition, None)

    def add(self, records: Iterable[Record], now: float) -> None:
        """The hot path of catching up; a named tuple is made twice as fast without its own constructor."""
        decode, held, grace_ms, new = self._decode, self._held, self._grace_ms, tuple.__new__
        batch = self._batches[-1] if self._batches else None
        for record in records:
            partition, offset, timestamp_ms, _, _ = record
            if batch is None or not batch.has_room(partition, offset):
                batch = self._begin_batch(partition, offset, now)
            batch.records += 1
            batch.following[partition] = offset + 1
            swap = decode(record)
            if isinstance(swap, Invalid):
                batch.invalid += 1
            elif held and offset in held.get(partition, ()):
                batch.held += 1
            else:
                late = timestamp_ms - swap.event_time_ms > grace_ms and not swap.removed
                batch.rows.append(new(Row, (partition, offset, timestamp_ms, late, swap)))

    def _begin_batch(self, partition: int, offset: int, now: float) -> Batch:
        batch = Batch(now, first={partition: offset})
        self._batches.append(batch)
        return batch

    def take(self, now: float, *, hurry: bool = False, behind: bool = False) -> Batch | None:
        """The oldest batch if it is due; in a `hurry` any is."""
        if not self._batches:
            return None
        batch = self._batches[0]
        due = len(self._batches) > 1 or (len(batch.rows) >= self._batch_rows and not behind)
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
