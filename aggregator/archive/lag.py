"""How far behind the archive is, true whenever it is asked: also while ClickHouse is away and nothing is written."""

import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from functools import partial

from aggregator.archive import metrics
from aggregator.archive.batch import Batch
from swapstats.ports.swap_source import Record

_GAUGES = (metrics.LAG_SECONDS, metrics.LAG_RECORDS)


class Lag:
    """Sets the gauges of the partitions that it hears of, until they are forgotten."""

    def __init__(self) -> None:
        self._read: dict[int, int] = {}
        self._written: dict[int, int] = {}
        self._unread: dict[int, int] = {}
        self._archived_ms: dict[int, int] = {}
        """The record time of the last row written; before the first, that of what waits to be it."""

    def begun(self, partition: int, offset: int) -> None:
        """It is read from this offset on, and everything before is archived."""
        self._read[partition] = self._written[partition] = offset
        metrics.LAG_SECONDS.labels(partition).set_function(partial(self._seconds, partition))
        metrics.LAG_RECORDS.labels(partition).set_function(partial(self._records, partition))

    def read(self, records: Iterable[Record]) -> None:
        for partition, record in {record.partition: record for record in records}.items():
            self._read[partition] = record.offset + 1
            self._archived_ms.setdefault(partition, record.timestamp_ms)

    def written(self, batch: Batch) -> None:
        self._archived_ms.update((row.partition, row.record_ms) for row in batch.rows)
        self._written.update(batch.following)

    def known(self, unread: Mapping[int, int]) -> None:
        """How many records of each partition were not given to us yet."""
        self._unread.update(unread)

    def forget(self, partitions: Sequence[int]) -> None:
        for partition in partitions:
            for facts in (self._read, self._written, self._unread, self._archived_ms):
                facts.pop(partition, None)
            for gauge in _GAUGES:
                with suppress(KeyError):
                    gauge.remove(partition)

    def _records(self, partition: int) -> int:
        waiting = self._read.get(partition, 0) - self._written.get(partition, 0)
        return waiting + self._unread.get(partition, 0)

    def _seconds(self, partition: int) -> float:
        if not self._records(partition) or partition not in self._archived_ms:
            return 0.0
        return max(0.0, time.time() - self._archived_ms[partition] / 1000)
