"""The archiver: reads the log, writes it to the archive, and can be killed at any moment.

One thread reads and decodes, and speaks to the log; another writes a batch at a time, or asks where to go on. While a
write is under way the next batch grows; when a whole one waits, reading pauses. Nothing is remembered but in the
archive itself: whenever the ground is lost (partitions moved, a start), it is asked anew.
"""

import contextlib
import logging
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import wait as wait_for
from functools import partial
from typing import NamedTuple, NoReturn

from aggregator.archive import metrics
from aggregator.archive.batch import Batch, Decode, Inbox
from aggregator.archive.delivery import Delivery, Patience
from aggregator.archive.lag import Lag
from aggregator.archive.refresher import Refresher
from aggregator.archive.resume import BEGINNING, Ground, Start, survey
from swapstats.domain.errors import SourceChanged, SourceUnavailable
from swapstats.ports.swap_archive import ArchiveWriter
from swapstats.ports.swap_source import SwapSource

LEAVE_SECONDS = 10.0
"""How long a write under way is waited for when its partitions are to go; they are read again elsewhere if it fails."""

BEHIND_MS = 5_000
"""An archiver that reads records older than this is catching up, and writes fewer and larger batches."""

log = logging.getLogger(__name__)


class ArchiveSettings(NamedTuple):
    grace_ms: int
    batch_rows: int
    batch_interval_ms: int


class Archiver:
    """One member of the archive's consumer group. `run` returns after `stop`; it raises SourceChanged and
    SourceUnavailable as the source does. `open_archive` gives a writer for one thread."""

    def __init__(
        self,
        source: SwapSource,
        open_archive: Callable[[], ArchiveWriter],
        decode: Decode,
        settings: ArchiveSettings,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._source = source
        self._named = source.identity()
        self._identity = self._named
        self._monotonic = monotonic
        self._inbox = Inbox(decode, settings.grace_ms, settings.batch_rows, settings.batch_interval_ms / 1000)
        self._archive = open_archive()
        self._worker = ThreadPoolExecutor(1, "archive")
        self._refresher = Refresher(open_archive())
        self._patience = Patience()
        self._lag = Lag()
        self._partitions: set[int] = set()
        """Those that we read; the other assigned ones are in `_unplaced`."""
        self._unplaced: set[int] = set()
        self._placing: Future[Ground] | None = None
        self._writing: tuple[Future[None], Batch] | None = None
        self._notes: list[Future[None]] = []
        """Of what is missing; each is written before any row behind it."""
        self._is_paused = False
        self._is_behind = False
        self._stopping = False

    def stop(self) -> None:
        """Let `run` end after the step at hand; safe in a signal handler."""
        self._stopping = True

    def run(self) -> None:
        self._refresher.start()
        self._source.subscribe(self)
        try:
            while not self._stopping:
                self.step()
            self._finish(LEAVE_SECONDS)
        finally:
            self._patience.abandon()
            with contextlib.suppress(SourceUnavailable):
                self._source.close()
            self._worker.shutdown(wait=True, cancel_futures=True)
            self._refresher.close(LEAVE_SECONDS)

    def step(self) -> None:
        records = [record for record in self._source.poll() if record.partition in self._partitions]
        metrics.READ.inc(len(records))
        self._is_behind = bool(records) and time.time() * 1000 - records[-1].timestamp_ms > BEHIND_MS
        self._inbox.add(records, self._monotonic())
        self._lag.read(records)
        self._finish_writing()
        self._finish_notes()
        self._finish_placing()
        self._start_writing()
        self._start_placing()
        self._throttle()

    def _start_writing(self, *, hurry: bool = False) -> None:
        batch = None if self._writing else self._inbox.take(self._monotonic(), hurry=hurry, behind=self._is_behind)
        if batch is not None:
            delivery = Delivery(self._archive, self._identity, self._patience)
            self._writing = self._worker.submit(_deliver, delivery, batch), batch

    def _finish_writing(self) -> None:
        if self._writing is None or not self._writing[0].done():
            return
        (writing, batch), self._writing = self._writing, None
        writing.result()
        self._source.commit(batch.following)
        self._refresher.written(self._identity, batch.following)
        metrics.RECORDS.labels(outcome="archived").inc(len(batch.rows))
        metrics.RECORDS.labels(outcome="held").inc(batch.held)
        metrics.RECORDS.labels(outcome="invalid").inc(batch.invalid)
        self._lag.written(batch)
        self._lag.known(self._source.lag())

    def _finish_notes(self) -> None:
        while self._notes and self._notes[0].done():
            self._notes.pop(0).result()

    def _start_placing(self) -> None:
        if self._unplaced and not self._placing:
            partitions, archive, named = sorted(self._unplaced), self._archive, self._named
            self._placing = self._worker.submit(self._patience.insist, lambda: survey(archive, named, partitions))

    def _finish_placing(self) -> None:
        """Read on from where the archive ends. A partition whose bounds are not told is tried again."""
        if self._placing is None or not self._placing.done():
            return
        ground, self._placing = self._placing.result(), None
        if ground.source != self._identity and self._partitions:
            raise SourceChanged(f"{self._identity.key} is now archived as {ground.source.key}")
        self._identity = ground.source
        for partition, start in ground.starts.items():
            if partition not in self._unplaced:
                continue
            try:
                first, end = self._source.bounds(partition)
            except SourceUnavailable as error:
                log.error("partition %d cannot be read yet: %s", partition, error)
                continue
            self._begin(partition, start, first, end)

    def _begin(self, partition: int, start: Start, first: int, end: int) -> None:
        if start.end > end:
            self._set_aside(f"the archive holds partition {partition} up to {start.end - 1}, but the log ends at {end}")
        if BEGINNING.offset < start.offset < first:
            self._note_missing(partition, start.offset, first)
        self._inbox.begin(partition, start.held)
        self._source.seek(partition, max(start.offset, first))
        self._unplaced.discard(partition)
        self._partitions.add(partition)
        self._lag.begun(partition, max(start.offset, first))
        self._refresher.written(self._identity, {partition: start.offset})
        log.info("archiving partition %d from offset %d", partition, max(start.offset, first))

    def _note_missing(self, partition: int, first: int, end: int) -> None:
        metrics.MISSED.inc(end - first)
        log.error("partition %d: offsets %d to %d are gone from the log", partition, first, end - 1)
        note = partial(self._archive.note_missing, self._identity, partition, first, end)
        self._notes.append(self._worker.submit(self._patience.insist, note))

    def _set_aside(self, reason: str) -> NoReturn:
        """It is another log under the same name, whose rows must not be mixed with those of the former."""
        self._worker.submit(self._archive.set_aside, self._named, self._identity).result()
        raise SourceChanged(f"{reason}: it is another log, and what is held of {self._identity.key} is set aside")

    def _throttle(self) -> None:
        if self._inbox.is_full != self._is_paused:
            self._is_paused = self._inbox.is_full
            (self._source.pause if self._is_paused else self._source.resume)(self._partitions)

    def assigned(self, partitions: Sequence[int]) -> None:
        """From the source: each is read as soon as the archive has said from where."""
        self._unplaced.update(partitions)

    def revoked(self, partitions: Sequence[int]) -> None:
        """From the source: let a write under way end, so that the next owner sees it."""
        if self._writing:
            wait_for([self._writing[0]], LEAVE_SECONDS)
            self._finish_writing()
        self.lost(partitions)

    def lost(self, partitions: Sequence[int]) -> None:
        """From the source. What was read of them is not ours to write; the other partitions begin anew with what the
        archive holds, as after a start."""
        self._patience.abandon()
        self._patience = Patience()
        self._writing = self._placing = None
        self._notes.clear()
        self._inbox.clear()
        self._unplaced = (self._unplaced | self._partitions) - set(partitions)
        self._partitions.clear()
        self._is_paused = False
        self._refresher.forget(partitions)
        self._lag.forget(partitions)

    def _finish(self, seconds: float) -> None:
        """Write what was read, if the archive takes it in time; what it does not take is read again by the next."""
        deadline = self._monotonic() + seconds
        while self._monotonic() < deadline:
            self._finish_writing()
            self._start_writing(hurry=True)
            if not self._writing:
                return
            wait_for([self._writing[0]], max(0.0, deadline - self._monotonic()))


def _deliver(delivery: Delivery, batch: Batch) -> None:
    if batch.rows:
        delivery.deliver(batch.rows)
