"""Keeps the candles up with the rows, in a thread of its own, so that no insert waits for it."""

import logging
import threading
import time
from collections.abc import Iterable, Mapping

from aggregator.archive import metrics
from swapstats.domain.errors import ArchiveError
from swapstats.ports.swap_archive import ArchiveWriter
from swapstats.ports.swap_source import SourceIdentity

INTERVAL_S = 1.0
SHARE = 0.1
"""How much of the time it may take: what lasts long comes less often."""

LONGEST_PAUSE_S = 10.0

log = logging.getLogger(__name__)


class Refresher:
    """Computes candles for what `written` told. `archive` is this thread's own."""

    def __init__(self, archive: ArchiveWriter, interval_s: float = INTERVAL_S) -> None:
        self._archive = archive
        self._source: SourceIdentity | None = None
        self._interval_s = interval_s
        self._written: dict[int, int] = {}
        self._changed = threading.Condition()
        self._is_dirty = False
        self._closing = False
        self._thread = threading.Thread(target=self._run, name="candles", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def written(self, source: SourceIdentity, following: Mapping[int, int]) -> None:
        """Everything below these offsets of the log is in the archive."""
        with self._changed:
            self._source = source
            self._written.update(following)
            self._is_dirty = True
            self._changed.notify()

    def forget(self, partitions: Iterable[int]) -> None:
        """Others look after these now."""
        with self._changed:
            for partition in partitions:
                self._written.pop(partition, None)

    def close(self, seconds: float) -> None:
        """Brings the candles up to date once more, for at most so long."""
        with self._changed:
            self._closing = True
            self._changed.notify()
        self._thread.join(seconds)

    def _run(self) -> None:
        pause_s = self._interval_s
        while (work := self._next()) is not None:
            pause_s = self._refresh(work, pause_s)
            self._rest(pause_s)
        self._refresh(dict(self._written), pause_s)

    def _next(self) -> dict[int, int] | None:
        with self._changed:
            self._changed.wait_for(lambda: self._is_dirty or self._closing)
            self._is_dirty = False
            return None if self._closing else dict(self._written)

    def _refresh(self, written: Mapping[int, int], pause_s: float) -> float:
        """How long to rest then. What was left undone, or failed, stays to be done."""
        started = time.perf_counter()
        try:
            done = self._source is None or self._archive.refresh(self._source, written)
        except ArchiveError as error:
            metrics.REFRESH_FAILURES.inc()
            log.error("candles are behind: %s", error)
            self._mark_dirty()
            return min(pause_s * 2, LONGEST_PAUSE_S)
        seconds = time.perf_counter() - started
        metrics.REFRESH_DURATION.observe(seconds * 1000)
        if not done:
            self._mark_dirty()
        return min(max(self._interval_s, seconds / SHARE), LONGEST_PAUSE_S) if done else 0.0

    def _mark_dirty(self) -> None:
        with self._changed:
            self._is_dirty = True

    def _rest(self, seconds: float) -> None:
        with self._changed:
            self._changed.wait_for(lambda: self._closing, seconds)
