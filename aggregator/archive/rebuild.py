"""Windows back from the archive: for when neither Redis nor the log holds what they were made from.

What is archived is decided anew by the ledger, by position and in the order of the log, as far back as a decision can
still matter. So whatever the ledger had kept is repeated, and what it had lost is known to it again: repetitions and
retractions that come afterwards are told apart as if nothing had happened. The windows are saved as a checkpoint at the
offset up to which the archive holds everything; a worker goes on from there with the log.
"""

import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from aggregator.archive.resume import BEGINNING, survey
from aggregator.pipeline.batch import Batch, Pending, apply_batch, claim_of
from aggregator.pipeline.partition import Partition, fresh_live_meta
from aggregator.pipeline.parts import PipelineSettings, StateStores
from aggregator.snapshot.checkpoint import save_checkpoint
from aggregator.windows.engine import WindowEngine
from swapstats.domain.errors import ArchiveError, Fenced, SourceChanged, StoreError
from swapstats.ports.checkpoint_store import Lease
from swapstats.ports.live_store import describe_windows
from swapstats.ports.swap_archive import ArchiveReplay, Row
from swapstats.ports.swap_source import Record, SourceIdentity, SwapSource

TELL_EVERY_S = 5.0


@dataclass
class Rebuilt:
    """A partition being rebuilt from the records `first` to `end` (not including it). Before `whole_from` records are
    missing: the windows are complete from the first record on that is found there; None where nothing is missing."""

    partition: Partition
    first: int
    end: int
    whole_from: int | None


class Rebuild:
    """Rebuilds partitions, once. `retention_ms` is how long the ledger keeps decisions, `owner` the name under which
    the partitions are held meanwhile, `say` hears what is done.

    Raises ArchiveError where the archive cannot tell, SourceChanged where the log is not the one it was filled from,
    StoreError where workers hold on to a partition or its snapshot is better than what could be made, and what the
    ports raise. What was there before is only replaced once all is known.
    """

    def __init__(
        self,
        settings: PipelineSettings,
        retention_ms: int,
        log: SwapSource,
        archive: ArchiveReplay,
        stores: StateStores,
        owner: str,
        say: Callable[[str], object],
    ) -> None:
        self._settings = settings
        self._retention_ms = retention_ms
        self._log = log
        self._archive = archive
        self._stores = stores
        self._owner = owner
        self._say = say
        self._told_at = time.monotonic()

    def run(self, partitions: Sequence[int]) -> None:
        """Of these partitions, or of all where none is named."""
        wanted = list(partitions) or list(range(self._log.partition_count()))
        source, ends = self._ground(wanted)
        try:
            rebuilt = self._begin(source, ends)
            self._replay(source, rebuilt)
            for item in rebuilt.values():
                self._save(item)
        except Fenced as error:
            reason = f"a worker took partition {error.partition} meanwhile; stop the workers, then rebuild again"
            raise StoreError(reason) from error

    def _ground(self, wanted: Sequence[int]) -> tuple[SourceIdentity, dict[int, int]]:
        """The name that the log's rows carry, and up to where the archive holds everything of each partition."""
        source, starts = survey(self._archive, self._log.identity(), wanted)
        held = {partition: start for partition, start in starts.items() if start is not BEGINNING}
        for partition in sorted(starts.keys() - held.keys()):
            self._say(f"partition {partition}: the archive holds nothing of it; a worker reads it from the log")
        if not held:
            known = ", ".join(self._archive.logs()) or "nothing at all"
            raise ArchiveError(f"the archive holds nothing of {source.key}; it holds {known}")
        for partition, start in held.items():
            _, end = self._log.bounds(partition)
            if start.end > end:
                raise SourceChanged(
                    f"the archive holds partition {partition} up to {start.end - 1}, but the log ends at {end}: it is"
                    " another log under the same name; `manage.py archive` sets the old one aside"
                )
        return source, {partition: start.offset for partition, start in held.items()}

    def _begin(self, source: SourceIdentity, ends: Mapping[int, int]) -> dict[int, Rebuilt]:
        """Take the partitions, empty, and find out from where on each is replayed."""
        now_ms = self._stores.clock.now_ms()
        reach_ms = max(self._retention_ms, self._settings.reach_ms) + self._settings.max_skew_ms
        record_ms = now_ms - reach_ms
        firsts = self._archive.since(source, list(ends), record_ms, record_ms - self._settings.grace_ms)
        rebuilt = {}
        for number, end in ends.items():
            first = min(firsts.get(number, end), end)
            lease = self._take(number, end)
            rebuilt[number] = Rebuilt(
                self._empty(lease, first, now_ms), first, end, self._whole_from(source, number, first)
            )
        return rebuilt

    def _take(self, number: int, end: int) -> Lease:
        low, high = self._log.bounds(number)
        lease = self._stores.checkpoints.take(number, self._owner)
        if end < low and lease.meta and lease.meta.next_offset > end:
            raise StoreError(
                f"partition {number} has a snapshot at offset {lease.meta.next_offset}, but the archive ends at {end}"
                f" and the log begins at {low}: nothing better can be made of them"
            )
        if end < low:
            self._say(f"partition {number}: offsets {end} to {low - 1} are in neither the archive nor the log")
        waiting = high - max(end, low)
        self._say(f"partition {number}: archived up to offset {end}, {waiting} records are left to a worker")
        return lease

    def _empty(self, lease: Lease, first: int, now_ms: int) -> Partition:
        engine = WindowEngine(self._settings.windows, self._settings.margin_ms, now_ms)
        live = fresh_live_meta(describe_windows(self._settings.windows))
        revision = lease.meta.revision if lease.meta else 0
        return Partition(lease, engine, first, 0, live, 0, Counter(), revision, begins_at=first)

    def _whole_from(self, source: SourceIdentity, partition: int, first: int) -> int | None:
        """Records are missing where the log had lost them before they were archived, and where the archive begins."""
        before = self._archive.before(source, partition, first)
        gaps = [end for _, end in self._archive.missing(source, partition) if end > (before or 0)]
        if before is None and first > 0:
            gaps.append(first)
        return max(gaps, default=None)

    def _replay(self, source: SourceIdentity, rebuilt: Mapping[int, Rebuilt]) -> None:
        """While Redis decides a batch, the next one is read."""
        stretches = {n: (item.first, item.end) for n, item in rebuilt.items() if item.first < item.end}
        slices = self._archive.slices(source, stretches)
        records, done = sum(part.records for part in slices), 0
        pending: Pending | None = None
        for part in slices:
            for rows in self._archive.rows(source, part):
                self._finish(pending, rebuilt)
                pending = self._submit(rows, rebuilt)
                done += len(rows)
                self._tell(done, records)
        self._finish(pending, rebuilt)
        self._say(f"{done} archived records decided")

    def _submit(self, rows: Sequence[Row], rebuilt: Mapping[int, Rebuilt]) -> Pending:
        grace_ms = self._settings.grace_ms
        claims = [
            claim_of(swap, partition, offset, record_ms - swap.event_time_ms > grace_ms)
            for partition, offset, record_ms, _, swap in rows
        ]
        last = {row.partition: Record(row.partition, row.offset, row.record_ms, None, None) for row in rows}
        self._close_gaps(rows, rebuilt)
        stands = {number: rebuilt[number].partition.stand for number in last}
        batch = Batch(len(rows), [row.swap for row in rows], claims, [], last, rows[0].record_ms)
        return batch, self._stores.ledger.decide(claims, stands)

    def _close_gaps(self, rows: Sequence[Row], rebuilt: Mapping[int, Rebuilt]) -> None:
        """As a worker does with the first record behind a gap."""
        open_ = {number: item for number, item in rebuilt.items() if item.whole_from is not None}
        for row in rows if open_ else ():
            item = open_.get(row.partition)
            if item and row.offset >= (item.whole_from or 0):
                item.partition.complete_since_ms = row.record_ms + self._settings.max_skew_ms
                item.whole_from = None
                del open_[row.partition]

    def _finish(self, pending: Pending | None, rebuilt: Mapping[int, Rebuilt]) -> None:
        if pending is not None:
            batch, decision = pending
            partitions = {number: item.partition for number, item in rebuilt.items()}
            apply_batch(batch, decision(), partitions, counts_late=self._settings.counts_late)

    def _tell(self, done: int, records: int) -> None:
        if time.monotonic() - self._told_at >= TELL_EVERY_S:
            self._told_at = time.monotonic()
            self._say(f"{done} of about {records} archived records decided")

    def _save(self, item: Rebuilt) -> None:
        """A gap that no archived record ends, ends now."""
        partition, checkpoints = item.partition, self._stores.checkpoints
        now_ms = self._stores.clock.now_ms()
        partition.next_offset = item.end
        if item.whole_from is not None:
            partition.complete_since_ms = now_ms
        partition.engine.replace([key for key, _ in checkpoints.segments(partition.number)])
        size = save_checkpoint(partition, checkpoints, now_ms)
        made = f"{len(partition.engine.tokens())} tokens, {size / 1024:.0f} KiB saved"
        stretch = f"{partition.outcomes.total()} records from offset {item.first} to {item.end}"
        self._say(f"partition {partition.number}: {stretch}, {made}")
