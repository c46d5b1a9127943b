"""Taking a partition over: lease, checkpoint, where to read on, and where its live view stands."""

import logging
from collections import Counter
from dataclasses import dataclass

from aggregator.pipeline.partition import Partition, fresh_live_meta
from aggregator.pipeline.parts import PipelineSettings, StateStores
from aggregator.snapshot.codec import decode_segment
from aggregator.windows.engine import WindowEngine
from swapstats.domain.errors import SourceChanged
from swapstats.domain.window import longest_ms
from swapstats.ports.checkpoint_store import CheckpointMeta, Lease
from swapstats.ports.live_store import LiveMeta, describe_windows
from swapstats.ports.swap_source import SwapSource

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class _Beginning:
    """Where to read from, what the windows contain already, and what is known to be missing before it."""

    next_offset: int
    begins_at: int
    publish_from: int
    complete_since_ms: int
    has_gap: bool


class Restorer:
    """Takes partitions for one worker. Raises StoreUnavailable, SourceUnavailable, and SourceChanged where the log
    ends before the checkpoint, so that it cannot be the log which that was made from."""

    def __init__(self, settings: PipelineSettings, source: SwapSource, owner: str) -> None:
        self._settings = settings
        self._source = source
        self._owner = owner
        self._description = describe_windows(settings.windows)

    def take(self, number: int, stores: StateStores) -> Partition:
        """The partition restored to its checkpoint, and the source told to read on from there."""
        lease = stores.checkpoints.take(number, self._owner)
        engine = WindowEngine(self._settings.windows, self._settings.margin_ms, stores.clock.now_ms())
        low, high = self._source.bounds(number)
        if lease.meta:
            beginning = self._continue(lease, lease.meta, low, high, stores)
            for key, data in stores.checkpoints.segments(number):
                engine.load(key.width_ms, key.bucket, decode_segment(data))
        else:
            beginning = self._begin(number, low, high, stores.clock.now_ms())
        live = self._live_meta(stores, lease)
        partition = _assemble(lease, engine, beginning, live or self._fresh_live_meta(stores, high))
        self._source.seek(number, beginning.next_offset)
        log.info(
            "partition %d taken: epoch %d, reading from %d of %d, %d tokens restored",
            *(number, lease.epoch, partition.next_offset, high, len(engine.tokens())),
        )
        return partition

    def _continue(self, lease: Lease, meta: CheckpointMeta, low: int, high: int, stores: StateStores) -> _Beginning:
        """After a checkpoint: behind it, or behind what the log has let go since."""
        if meta.next_offset > high:
            stores.set_aside()
            raise SourceChanged(
                f"partition {lease.partition} ends at {high}, but its snapshot was made at {meta.next_offset}: this is"
                f" not the log it came from, so all state of {stores.source.key} is set aside"
            )
        if meta.next_offset >= low:
            return _Beginning(meta.next_offset, meta.begins_at, 0, meta.complete_since_ms, has_gap=False)
        log.error(
            "partition %d: the log begins at %d, but the snapshot ends at %d; the records between are lost",
            *(lease.partition, low, meta.next_offset),
        )
        begins_at = low if meta.begins_at == meta.next_offset else meta.begins_at
        return _Beginning(low, begins_at, 0, meta.complete_since_ms, has_gap=True)

    def _begin(self, number: int, low: int, high: int, now_ms: int) -> _Beginning:
        """Without a checkpoint: where the configuration says, and nothing is published until that is read."""
        match self._settings.start:
            case "latest":
                return _Beginning(high, high, high, now_ms, has_gap=False)
            case "earliest":
                return _Beginning(low, low, high, 0, has_gap=low > 0)
            case "window":
                from_ms = now_ms - longest_ms(self._settings.windows) - self._settings.max_skew_ms
                offset = max(low, self._source.offset_at(number, from_ms))
                return _Beginning(offset, offset, high, 0, has_gap=low > 0 and offset == low)

    def _live_meta(self, stores: StateStores, lease: Lease) -> LiveMeta | None:
        """Where the live view stands that this partition continues."""
        live = stores.live.open(lease.partition, lease.epoch)
        return live if live and live.windows == self._description else None

    def _fresh_live_meta(self, stores: StateStores, high: int) -> LiveMeta:
        """A new live epoch. What was published before the last one was lost is not known, but the log held it, so
        nothing is published before all is read that the log holds now. Meanwhile readers are told what is missing."""
        stores.live.announce(self._source.partition_count(), self._description, stores.clock.now_ms())
        return fresh_live_meta(self._description)._replace(offset=high)


def _assemble(lease: Lease, engine: WindowEngine, beginning: _Beginning, live: LiveMeta) -> Partition:
    meta = lease.meta
    return Partition(
        lease=lease,
        engine=engine,
        next_offset=beginning.next_offset,
        publish_from=max(beginning.publish_from, live.offset),
        live=live,
        complete_since_ms=beginning.complete_since_ms,
        outcomes=Counter(meta.outcomes if meta else {}),
        revision=meta.revision if meta else 0,
        has_gap=beginning.has_gap,
        begins_at=beginning.begins_at,
        mail_id=meta.mail_id if meta else "",
        saved=(meta.next_offset, meta.mail_id) if meta else None,
    )
