"""The log that swaps are read from.

A source is one consumer in a group. The log is partitioned; each partition belongs to at most one member of the group
at a time, and its records are read in the order of their offsets. The source stores nothing of ours: where a
partition is to be read from is said by `seek`, on the ground of our own checkpoint; committed offsets serve lag
tools only.

Assignments are told through `Listener`, from within `poll` (or `close`), never from another thread. A partition gives
no records between its assignment and its first `seek`. If `Listener.assigned` raises, the error comes out of `poll`.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple, Protocol


class Record(NamedTuple):
    """One record of the log. `timestamp_ms` is the record's own timestamp, never our clock's."""

    partition: int
    offset: int
    timestamp_ms: int
    key: bytes | None
    value: bytes | None


class SourceIdentity(NamedTuple):
    """Tells one log from another: offsets mean nothing across clusters or recreated topics.

    `incarnation` is the broker's own id of the topic, empty where the broker has none.
    """

    cluster_id: str
    topic: str
    incarnation: str

    @property
    def key(self) -> str:
        """As part of a key in a store."""
        return ":".join((self.cluster_id, self.topic, self.incarnation)).rstrip(":")

    @classmethod
    def of_key(cls, key: str) -> "SourceIdentity":
        """The identity whose `key` this is."""
        cluster_id, topic, incarnation = [*key.split(":", 2), "", ""][:3]
        return cls(cluster_id, topic, incarnation)


class Listener(Protocol):
    """Hears which partitions come and go."""

    def assigned(self, partitions: Sequence[int]) -> None:
        """These are ours now; each wants a `seek`, here or later."""

    def revoked(self, partitions: Sequence[int]) -> None:
        """These go to another member once this returns: the last chance to save."""

    def lost(self, partitions: Sequence[int]) -> None:
        """These went to another member already; nothing about them may be written any more."""


class SwapSource(Protocol):
    """One member of the consumer group; not thread-safe. Every call may raise SourceUnavailable when the log
    cannot be reached and SourceChanged when it is not the one that `identity` named at first."""

    def identity(self) -> SourceIdentity:
        """Which log this is, asked of the broker."""

    def partition_count(self) -> int:
        """How many partitions the topic has now."""

    def subscribe(self, listener: Listener) -> None:
        """Join the group; assignments follow from `poll`."""

    def poll(self) -> Sequence[Record]:
        """The next records, at most `ingest.batch_max`, waiting at most `ingest.poll_timeout`; often none.
        Raises SourceChanged where an offset is out of range or the topic is gone."""

    def seek(self, partition: int, offset: int) -> None:
        """Read an assigned partition from this offset on."""

    def bounds(self, partition: int) -> tuple[int, int]:
        """The offset of the oldest record kept and that after the newest, asked of the broker."""

    def offset_at(self, partition: int, timestamp_ms: int) -> int:
        """The first offset whose record timestamp is at or after this time; the end where there is none."""

    def pause(self, partitions: Iterable[int]) -> None:
        """Stop giving records of these partitions, keeping the assignment."""

    def resume(self, partitions: Iterable[int]) -> None:
        """Undo `pause`."""

    def commit(self, offsets: Mapping[int, int]) -> None:
        """Tell the group's committed offsets, for lag tools; asynchronous, best effort, no error for a rebalance."""

    def lag(self) -> Mapping[int, int]:
        """Records not yet given to us, per assigned partition, from what the client knows already (no round trip)."""

    def close(self) -> None:
        """Leave the group, calling `Listener.revoked` for what is still assigned."""
