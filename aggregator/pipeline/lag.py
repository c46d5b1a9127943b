"""How far behind each partition is, true whenever it is asked: also while the worker hangs."""

import time
from collections.abc import Iterable, Mapping
from contextlib import suppress
from functools import partial
from operator import attrgetter

from aggregator import metrics
from aggregator.pipeline.batch import Batch

_GAUGES = (metrics.LAG_SECONDS, metrics.LAG_RECORDS)
_event_time = attrgetter("event_time_ms")


class Lag:
    """Sets the gauges of the partitions that it hears of, until they are forgotten."""

    def __init__(self) -> None:
        self._read_until_ms: dict[int, int] = {}
        self._waiting: dict[int, int] = {}
        self._newest_event_ms = 0
        metrics.EVENT_LAG_SECONDS.set_function(self._event_seconds)

    def applied(self, batch: Batch) -> None:
        """Some of each partition's records were applied; whether more wait is not known yet."""
        for number, record in batch.last.items():
            if number not in self._read_until_ms:
                metrics.LAG_SECONDS.labels(number).set_function(partial(self._seconds, number))
            self._read_until_ms[number] = record.timestamp_ms
            self._waiting.pop(number, None)
        self._newest_event_ms = max(self._newest_event_ms, *map(_event_time, batch.swaps), 0)

    def known(self, waiting: Mapping[int, int]) -> None:
        """How many records of each partition wait."""
        self._waiting.update(waiting)
        for number, records in waiting.items():
            metrics.LAG_RECORDS.labels(number).set(records)

    def forget(self, partitions: Iterable[int]) -> None:
        """These are somebody else's now."""
        for number in partitions:
            self._read_until_ms.pop(number, None)
            self._waiting.pop(number, None)
            for gauge in _GAUGES:
                with suppress(KeyError):
                    gauge.remove(number)

    def _seconds(self, number: int) -> float:
        if self._waiting.get(number) == 0:
            return 0.0
        return max(0.0, time.time() - self._read_until_ms.get(number, 0) / 1000)

    def _event_seconds(self) -> float:
        return time.time() - self._newest_event_ms / 1000 if self._newest_event_ms else 0.0
