"""Checkpoints as an operator sees and mends them, beside the workers that hold them."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple, Protocol

from swapstats.ports.checkpoint_store import CheckpointMeta, SegmentKey
from swapstats.ports.swap_source import SourceIdentity


class HeldCheckpoint(NamedTuple):
    """A partition's checkpoint and who holds it: `owner` took it last, at `epoch`. `meta` is None before the first
    snapshot; `segments` counts buckets, `size_bytes` what they take in the store; `tokens` have swaps in its live
    view. `save_asked_ms` is when a snapshot was asked for that has not been made yet (0: none was)."""

    partition: int
    epoch: int
    owner: str
    meta: CheckpointMeta | None
    segments: int
    size_bytes: int
    tokens: int
    save_asked_ms: int = 0


class CheckpointAdmin(Protocol):
    """Every call may raise StoreUnavailable."""

    def sources(self) -> Sequence[SourceIdentity]:
        """The logs that checkpoints are kept of."""

    def checkpoints(self, source: SourceIdentity) -> Sequence[HeldCheckpoint]:
        """By partition."""

    def checkpoint(self, source: SourceIdentity, partition: int) -> HeldCheckpoint | None:
        """One of them; None where there is none."""

    def segments(self, source: SourceIdentity, partition: int) -> Iterator[tuple[SegmentKey, bytes]]:
        """All segments of a checkpoint in the order of their keys."""

    def ask_to_save(self, source: SourceIdentity, partition: int) -> None:
        """Whoever holds the partition saves it as soon as it has published next, whether anything changed or not; where
        nobody holds it, whoever takes it does."""

    def release(self, source: SourceIdentity, partition: int) -> None:
        """Raise the epoch: whoever holds the partition is refused its next write, lets go, and takes it anew."""

    def reset(self, source: SourceIdentity, partition: int, next_offset: int, complete_since_ms: int = 0) -> None:
        """As `release`, and forget the windows: whoever takes the partition next replays it from this offset, behind
        which nothing is missing of what happened after `complete_since_ms`.
        Decisions stay as recorded, so what is replayed has the same outcomes as before; so does the mail, of which what
        concerns earlier offsets will have no effect."""

    def close(self) -> None: ...
