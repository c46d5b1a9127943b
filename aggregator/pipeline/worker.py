"""The worker: reads the log, keeps windows exact, tells readers, and can be killed at any moment.

For a batch the order is: decode, dead-letter what is invalid, decide, apply; then, when it is time, publish, snapshot,
commit. While the ledger decides a batch, the one before it is applied and the next one is read and decoded.

Whatever goes wrong with the state store, the answer is the same: forget everything, connect anew, restore the last
checkpoints and read on from there. Decisions are recorded by position, so a replay repeats them.
"""

import logging
import time
from collections.abc import Callable, Collection, Iterable, Sequence

from structlog.contextvars import bind_contextvars, bound_contextvars

from aggregator.pipeline.batch import Batch, Pending, apply_batch, decode_batch
from aggregator.pipeline.decode import Decoder
from aggregator.pipeline.invalid_share import InvalidShare
from aggregator.pipeline.mail import deliver_mail
from aggregator.pipeline.observer import Observer
from aggregator.pipeline.partition import Partition
from aggregator.pipeline.parts import OpenStores, PipelineSettings, StateStores
from aggregator.pipeline.publish import make_steps, note_published
from aggregator.pipeline.restore import Restorer
from aggregator.pipeline.schedule import Schedule
from aggregator.snapshot.checkpoint import save_checkpoint
from swapstats.domain.errors import DeadLetterError, Fenced, SourceUnavailable, StoreUnavailable
from swapstats.ports.dead_letters import DeadLetter, DeadLetterQueue
from swapstats.ports.swap_source import Record, SwapSource
from swapstats.ports.update_feed import Tick, UpdateSender

log = logging.getLogger(__name__)

RETAKE_AFTER_S = 5.0
"""After a partition was fenced off, all are taken again after this long if they are still assigned to us: by then the
group would have told us that they belong to somebody else."""

BEHIND_MS = 5_000
"""A worker whose batches are full of records older than this is catching up."""

FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.1, 5.0
"""A store that can be reached and takes no writes (it is full) is tried again after pauses that double, from the second
failure in a row on."""

ASK_AGAIN_S = 1.0
"""How soon the log is asked again for a partition's bounds when it did not answer."""


class Worker:
    """One member of the consumer group. `run` returns after `stop`; it raises SourceChanged where another log has
    taken the place of the one begun with, and TooManyInvalid where most of the stream is no swaps."""

    def __init__(
        self,
        settings: PipelineSettings,
        source: SwapSource,
        open_stores: OpenStores,
        dead_letters: DeadLetterQueue,
        sender: UpdateSender,
        observer: Observer,
        name: str,
        sleep: Callable[[float], None] = time.sleep,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._settings = settings
        self._source = source
        self._open_stores = open_stores
        self._dead_letters = dead_letters
        self._sender = sender
        self._observer = observer
        self._name = name
        self._sleep = sleep
        self._monotonic = monotonic
        self._decoder = Decoder(settings.max_bytes, settings.max_skew_ms)
        self._restorer = Restorer(settings, source, name)
        self._invalid_share = InvalidShare(settings.max_invalid_share, settings.invalid_sample)
        self._schedule = Schedule(settings.coalesce_ms, settings.snapshot_interval_ms)
        self._identity = source.identity()
        self._stores: StateStores | None = None
        self._partitions: dict[int, Partition] = {}
        self._wanted: dict[int, float] = {}  # assigned, not yet taken → when to take it, on the monotonic clock
        self._pending: Pending | None = None
        self._is_behind = False
        self._stopping = False
        self._pause_s = 0.0
        self._letters_kept: set[tuple[int, int, int]] = set()

    def stop(self) -> None:
        """Let `run` end after the step at hand; safe in a signal handler."""
        self._stopping = True

    def run(self) -> None:
        bind_contextvars(worker=self._name)
        self.start()
        try:
            while not self._stopping:
                self.step()
        finally:
            self.close()

    def start(self) -> None:
        """Join the group."""
        self._source.subscribe(self)

    def step(self) -> None:
        """One round: read, decide, apply, and publish and snapshot when it is time."""
        self._guarded(self._step)

    def close(self) -> None:
        """Leave the group, saving what was assigned."""
        self._source.close()
        self._sender.close()
        self._drop_state()

    def _step(self) -> None:
        stores = self._connected()
        self._take_wanted(stores)
        records = self._ours(self._source.poll())
        if records:
            self._submit(records, stores)
        now_ms, is_full = stores.clock.now_ms(), len(records) >= max(1, self._settings.batch_max // 2)
        self._is_behind = is_full and now_ms - records[-1].timestamp_ms > BEHIND_MS
        if not is_full or self._schedule.is_due(now_ms):
            self._finish_pending()
            self._tick(stores)
        self._observer.step_done()

    def _guarded(self, action: Callable[[], None]) -> None:
        """Run a step; when the store fails, forget what is in RAM and go on from the checkpoints."""
        try:
            action()
        except Fenced as error:
            self._let_go(error)
        except (StoreUnavailable, DeadLetterError) as error:
            log.error("%s; restoring from the last snapshots", error)
            self._observer.restored_after_failure()
            self._pause()

    def _pause(self) -> None:
        """Let go of everything, and take it again a little later the more often that had to be done in a row."""
        retake_at = self._monotonic() + self._pause_s
        self._pause_s = min(max(FIRST_PAUSE_S, 2 * self._pause_s), LONGEST_PAUSE_S)
        self._drop_state(retake_at)
        self._wanted = {number: max(due, retake_at) for number, due in self._wanted.items()}

    def _connected(self) -> StateStores:
        """The stores, connected anew where need be. While they are away, partitions give no records, but the group
        is still served."""
        pause_s = 0.1
        while self._stores is None:
            try:
                self._stores = self._open_stores(self._identity)
                self._schedule = Schedule(self._settings.coalesce_ms, self._settings.snapshot_interval_ms)
            except StoreUnavailable as error:
                log.error("%s; trying again in %.1f s", error, pause_s)
                self._source.pause(self._wanted)
                self._source.poll()
                self._sleep(pause_s)
                pause_s = min(pause_s * 2, 2.0)
                if self._stopping:
                    raise
        return self._stores

    def _take_wanted(self, stores: StateStores) -> None:
        now = self._monotonic()
        wanted = [number for number, due in self._wanted.items() if due <= now]
        if wanted:
            self._finish_pending()
        for number in wanted:
            try:
                with bound_contextvars(partition=number):
                    self._partitions[number] = self._restorer.take(number, stores)
            except SourceUnavailable as error:
                log.error("partition %d cannot be taken yet: %s", number, error)
                self._wanted[number] = now + ASK_AGAIN_S
                continue
            del self._wanted[number]
            self._source.resume([number])

    def _ours(self, records: Sequence[Record]) -> Sequence[Record]:
        """Without records that were fetched before a seek or for a partition that has gone."""
        starts = {number: partition.next_offset for number, partition in self._partitions.items()}
        ours = [r for r in records if starts.get(r.partition, r.offset + 1) <= r.offset]
        if any(partition.has_gap for partition in self._partitions.values()):
            self._close_gaps(ours)
        return ours

    def _close_gaps(self, records: Sequence[Record]) -> None:
        """The first record after a gap tells from when on all is complete."""
        for record in records:
            partition = self._partitions[record.partition]
            if partition.has_gap:
                partition.complete_since_ms = record.timestamp_ms + self._settings.max_skew_ms
                partition.has_gap = False

    def _submit(self, records: Sequence[Record], stores: StateStores) -> None:
        with self._observer.stage("decode"):
            batch = decode_batch(records, self._decoder, self._settings.grace_ms)
        self._invalid_share.add(batch.records, len(batch.dead_letters))
        decided = self._decided()
        if batch.dead_letters:
            self._put_away(batch.dead_letters, stores)
        stands = {number: self._partitions[number].stand for number in batch.last}
        self._pending = batch, stores.ledger.decide(batch.claims, stands)
        if decided:
            self._apply(*decided)

    def _put_away(self, letters: Sequence[DeadLetter], stores: StateStores) -> None:
        """Invalid records go to the dead letter queue before they count as done, and only once."""
        before = {number: partition.lease.dead_letters_before for number, partition in self._partitions.items()}
        unnoted = [letter for letter in letters if letter.record.offset >= before[letter.record.partition]]
        self._look_for_letters({letter.record.partition for letter in unnoted})
        fresh = [letter for letter in unnoted if letter.record[:3] not in self._letters_kept]
        if fresh:
            self._dead_letters.put(fresh)
        for number, offset in {letter.record.partition: letter.record.offset for letter in unnoted}.items():
            stores.checkpoints.note_dead_letters(self._partitions[number].lease, offset + 1)

    def _look_for_letters(self, numbers: Collection[int]) -> None:
        """Once after partitions were taken: what somebody put away who died before it could be noted."""
        if all(self._partitions[number].letters_are_known for number in numbers):
            return
        for place in self._dead_letters.kept(self._partitions.keys()):
            if place[1] >= self._partitions[place[0]].lease.dead_letters_before:
                self._letters_kept.add(place)
        for partition in self._partitions.values():
            partition.letters_are_known = True

    def _finish_pending(self) -> None:
        if decided := self._decided():
            self._apply(*decided)

    def _decided(self) -> tuple[Batch, Sequence[int]] | None:
        """Wait for the batch that is being decided, if there is one, and its outcomes."""
        if self._pending is None:
            return None
        (batch, decision), self._pending = self._pending, None
        with self._observer.stage("decide"):
            return batch, decision()

    def _apply(self, batch: Batch, outcomes: Sequence[int]) -> None:
        with self._observer.stage("apply"):
            counts = apply_batch(batch, outcomes, self._partitions, counts_late=self._settings.counts_late)
        self._observer.applied(batch, counts)

    def _tick(self, stores: StateStores) -> None:
        now_ms = stores.clock.now_ms()
        if self._schedule.publish_due(now_ms):
            with self._observer.stage("publish"):
                asked_for = self._publish(stores, self._schedule.tick_ms(now_ms))
            self._observer.published()
            self._schedule.published(stores.clock.now_ms(), behind=self._is_behind)
            if asked_for:
                self._snapshot(stores, [self._partitions[number] for number in asked_for], are_asked_for=True)
        if self._schedule.snapshot_due(now_ms):
            with self._observer.stage("snapshot"):
                self._snapshot(stores, self._partitions.values())
            self._schedule.snapshotted(stores.clock.now_ms())

    def _publish(self, stores: StateStores, now_ms: int) -> Sequence[int]:
        """Gives the partitions of which an operator wants a snapshot now."""
        deliver_mail(self._partitions, stores.ledger, counts_late=self._settings.counts_late)
        steps = make_steps(self._partitions.values(), now_ms)
        if not steps:
            return ()
        asked_for = stores.live.publish([step for _, step in steps], {p.number: p.lease.epoch for p, _ in steps})
        self._pause_s = 0.0
        note_published(steps)
        self._sender.send(Tick(stores.source.key, self._name, [step for _, step in steps]))
        return asked_for

    def _snapshot(self, stores: StateStores, partitions: Iterable[Partition], *, are_asked_for: bool = False) -> None:
        started, store, now_ms = time.perf_counter(), stores.checkpoints, stores.clock.now_ms
        saved = [save_checkpoint(each, store, now_ms(), is_asked_for=are_asked_for) for each in partitions]
        self._source.commit({partition.number: partition.next_offset for partition in self._partitions.values()})
        stores.clock.sync()
        seconds = time.perf_counter() - started
        self._observer.snapshotted(sum(saved), seconds, self._source.lag(), self._partitions)

    def assigned(self, partitions: Sequence[int]) -> None:
        """From the source: each is taken before the next records are read."""
        self._wanted.update(dict.fromkeys(partitions, 0.0))
        self._observer.rebalanced("assigned", partitions, self._held)

    def revoked(self, partitions: Sequence[int]) -> None:
        """From the source: finish and save what is about to go."""
        self._guarded(lambda: self._save_before_leaving(partitions))
        self._forget(partitions)
        self._observer.rebalanced("revoked", partitions, self._held)

    def lost(self, partitions: Sequence[int]) -> None:
        """From the source: others have them, so nothing is written any more. What is being decided for them is
        decided for their successor just as well."""
        self._guarded(self._finish_pending)
        self._forget(partitions)
        self._observer.rebalanced("lost", partitions, self._held)

    def _save_before_leaving(self, partitions: Sequence[int]) -> None:
        self._finish_pending()
        leaving = [self._partitions[number] for number in partitions if number in self._partitions]
        if self._stores and leaving:
            self._publish(self._stores, self._stores.clock.now_ms())
            self._snapshot(self._stores, leaving)

    @property
    def _held(self) -> int:
        return len(self._partitions.keys() | self._wanted.keys())

    def _forget(self, partitions: Sequence[int]) -> None:
        for number in partitions:
            self._partitions.pop(number, None)
            self._wanted.pop(number, None)

    def _let_go(self, error: Fenced) -> None:
        """Another has the partition, or its state is not what we think. What was in flight is void for all, and the
        group may have given all of them away while we were not running."""
        log.error("%s; letting go", error)
        self._observer.fenced()
        self._drop_state(retake_at=self._monotonic() + RETAKE_AFTER_S)

    def _drop_state(self, retake_at: float = 0.0) -> None:
        """Back to the last checkpoints: nothing in RAM is trusted any more."""
        self._pending = None
        self._wanted.update(dict.fromkeys(self._partitions, retake_at))
        self._partitions.clear()
        self._letters_kept.clear()
        if self._stores:
            self._stores.close()
        self._stores = None
