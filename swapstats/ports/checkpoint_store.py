"""Snapshots of engine state: segments and the next offset, moved together.

A partition's checkpoint belongs to whoever holds its lease. Taking a lease raises the partition's epoch; every write
names the epoch and the revision it builds on, and one of an older epoch or another revision is refused whole. So a
worker that was taken for dead cannot overwrite its successor, and one whose store lost its last writes notices.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple, Protocol


class SegmentKey(NamedTuple):
    """A segment: the bucket from `bucket * width_ms` on."""

    width_ms: int
    bucket: int


class CheckpointMeta(NamedTuple):
    """Everything of a checkpoint but its segments.

    `next_offset` is the first offset that the segments do not contain. `outcomes` counts every record below it by
    its outcome's name, since the partition was begun. `complete_since_ms` is the event time from which on the windows
    miss nothing (0: always), `saved_at_ms` when it was written. `begins_at` is the first offset that the segments
    contain, `mail_id` the last mail that took effect in them ("": none did).
    """

    revision: int
    next_offset: int
    outcomes: Mapping[str, int]
    complete_since_ms: int
    saved_at_ms: int
    begins_at: int = 0
    mail_id: str = ""


class Lease(NamedTuple):
    """The right to write a partition's state, and the checkpoint found when it was taken (None: there is none).

    All invalid records below `dead_letters_before` are in the dead letter queue already.
    """

    partition: int
    epoch: int
    owner: str
    meta: CheckpointMeta | None
    dead_letters_before: int


class CheckpointStore(Protocol):
    """Checkpoints of one log. Any call may raise StoreUnavailable; the caller then restores before it goes on."""

    def take(self, partition: int, owner: str) -> Lease:
        """Take the partition over, whoever held it; the epoch is higher than any before."""

    def segments(self, partition: int) -> Iterator[tuple[SegmentKey, bytes]]:
        """All segments of the checkpoint in the order of their keys, read in bounded pieces."""

    def save(
        self,
        lease: Lease,
        meta: CheckpointMeta,
        segments: Mapping[SegmentKey, bytes],
        dropped: Sequence[SegmentKey],
    ) -> None:
        """Replace `meta`, write `segments`, forget `dropped`, in one atomic step. `meta.revision` is one above the
        revision that it builds on. Raises Fenced where the lease or that revision is not the current one."""

    def note_dead_letters(self, lease: Lease, before: int) -> None:
        """Remember that all invalid records below offset `before` are acknowledged by the dead letter queue, so
        that a replay does not put them there again. Raises Fenced."""
