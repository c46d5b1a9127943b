"""Saving a partition: what changed since the last checkpoint, with the offset, in one write."""

from aggregator.pipeline.partition import Partition
from aggregator.snapshot.codec import encode_segment
from swapstats.ports.checkpoint_store import CheckpointStore, SegmentKey

REFRESH_MS = 60_000
"""A partition in which nothing happens is saved this often all the same, lest its checkpoint expire."""


def save_checkpoint(partition: Partition, store: CheckpointStore, now_ms: int, *, is_asked_for: bool = False) -> int:
    """Save, unless nothing changed and nobody asked for it, and give the bytes of segments written. Raises Fenced and
    StoreUnavailable; the partition's state in RAM is void then."""
    partition.engine.advance(now_ms)
    segments = {
        SegmentKey(width_ms, bucket): encode_segment(segment)
        for width_ms, bucket, segment in partition.engine.take_dirty()
    }
    dropped = [SegmentKey(*key) for key in partition.engine.take_dropped()]
    moved = segments or dropped or partition.progress != partition.saved
    if not moved and not is_asked_for and now_ms - partition.saved_at_ms < REFRESH_MS:
        return 0
    meta = partition.checkpoint_meta(now_ms)
    store.save(partition.lease, meta, segments, dropped)
    partition.revision = meta.revision
    partition.saved, partition.saved_at_ms = partition.progress, now_ms
    return sum(map(len, segments.values()))
