"""Gets rows into the archive, whatever it takes: patience, and putting aside what can never be stored."""

import logging
import random
import threading
import time
from collections.abc import Callable, Sequence
from typing import TypeVar

from aggregator.archive import metrics
from swapstats.domain.errors import ArchiveError, ArchiveRefused
from swapstats.ports.swap_archive import ArchiveWriter, Row
from swapstats.ports.swap_source import SourceIdentity

FIRST_PAUSE_S = 0.1
LONGEST_PAUSE_S = 10.0

Result = TypeVar("Result")

log = logging.getLogger(__name__)


class Abandoned(Exception):  # noqa: N818 - reads as the state it names
    """Nobody waits for this any more."""


class Patience:
    """Tries again for ever, with growing pauses of random length, until it is told that nobody waits."""

    def __init__(self) -> None:
        self._abandoned = threading.Event()

    def abandon(self) -> None:
        """Safe from any thread; takes effect at the next pause."""
        self._abandoned.set()

    def insist(self, attempt: Callable[[], Result]) -> Result:
        """The first result that comes without an ArchiveError. ArchiveRefused passes through: it would come again."""
        pause_s = FIRST_PAUSE_S
        while True:
            try:
                return attempt()
            except ArchiveRefused:
                raise
            except ArchiveError as error:
                metrics.RETRIES.inc()
                log.error("the archive: %s; trying again in at most %.1f s", error, pause_s)
            if self._abandoned.wait(pause_s * random.uniform(0.5, 1)):
                raise Abandoned
            pause_s = min(pause_s * 2, LONGEST_PAUSE_S)


class Delivery:
    """Writes rows of one log. A block is tried as it is until its fate is known; only refused ones are divided."""

    def __init__(self, archive: ArchiveWriter, source: SourceIdentity, patience: Patience) -> None:
        self._archive = archive
        self._source = source
        self._patience = patience

    def deliver(self, rows: Sequence[Row]) -> None:
        """Returns when every row is stored or put aside. Raises Abandoned."""
        try:
            self._patience.insist(_Attempt(self._archive, self._source, rows))
        except ArchiveRefused as refusal:
            self._divide(rows, refusal)

    def _divide(self, rows: Sequence[Row], refusal: ArchiveRefused) -> None:
        if len(rows) > 1:
            middle = len(rows) // 2
            self.deliver(rows[:middle])
            self.deliver(rows[middle:])
            return
        row = rows[0]
        log.error("put aside: partition %d, offset %d: %s", row.partition, row.offset, refusal)
        self._patience.insist(lambda: self._archive.reject(self._source, row, str(refusal)))
        metrics.RECORDS.labels(outcome="rejected").inc()


class _Attempt:
    """One block, tried perhaps several times. After an unknown outcome the archive is asked first: the block may be
    there. If it is there in part, or still on its way, writing the very same block again adds what is missing."""

    def __init__(self, archive: ArchiveWriter, source: SourceIdentity, rows: Sequence[Row]) -> None:
        self._archive = archive
        self._source = source
        self._rows = rows
        self._is_first = True

    def __call__(self) -> None:
        if not self._is_first and self._is_held():
            return
        self._is_first = False
        started = time.perf_counter()
        self._archive.insert(self._source, self._rows)
        metrics.FLUSH_DURATION.observe((time.perf_counter() - started) * 1000)
        metrics.BATCH_SIZE.observe(len(self._rows))

    def _is_held(self) -> bool:
        offsets: dict[int, set[int]] = {}
        for row in self._rows:
            offsets.setdefault(row.partition, set()).add(row.offset)
        return all(
            wanted <= self._archive.held(self._source, partition, min(wanted), max(wanted))
            for partition, wanted in offsets.items()
        )
