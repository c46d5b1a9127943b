"""Replaying a partition from a moment on, with its windows forgotten."""

from swapstats.ports.checkpoint_admin import CheckpointAdmin
from swapstats.ports.swap_source import SourceIdentity, SwapSource


def reset_to(
    admin: CheckpointAdmin, source: SourceIdentity, partition: int, log: SwapSource, from_ms: int, max_skew_ms: int
) -> int:
    """Let the partition be replayed from its first record at or after `from_ms`, and give that one's offset. Readers
    are told since when its windows are complete. Raises SourceUnavailable and StoreUnavailable."""
    offset = log.offset_at(partition, from_ms)
    admin.reset(source, partition, offset, from_ms + max_skew_ms if offset else 0)
    return offset
