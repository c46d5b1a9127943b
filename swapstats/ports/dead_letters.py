"""Where invalid records go: kept whole, with the reason."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import NamedTuple, Protocol

from swapstats.domain.swap import Invalid
from swapstats.ports.swap_source import Record


class DeadLetter(NamedTuple):
    record: Record
    invalid: Invalid


class DeadLetterQueue(Protocol):
    """Key and value are kept untouched; headers `reason`, `detail`, `source_topic`, `source_partition`, `source_offset`
    and `source_timestamp` say why and from where."""

    def put(self, letters: Sequence[DeadLetter]) -> None:
        """Returns when every letter is acknowledged. Raises DeadLetterError where one was not within the time-out;
        some may have been written then, and a later `put` writes them again."""

    def kept(self, partitions: Collection[int]) -> Collection[tuple[int, int, int]]:
        """Partition, offset and timestamp of the records of these partitions whose letters are among the newest: what
        was last put, be it by a process that died before it knew. Raises DeadLetterError."""

    def close(self) -> None: ...


class StoredLetter(NamedTuple):
    """A dead letter where it is kept: its own place there, when it was put there, and what came with it."""

    partition: int
    offset: int
    stored_ms: int
    key: bytes | None
    value: bytes | None
    headers: Mapping[str, str]


class DeadLetterReader(Protocol):
    """For people who look into dead letters. Raises SourceUnavailable, and SourceChanged where no place to keep them
    was ever made."""

    def letters(self) -> Iterator[StoredLetter]:
        """All that are kept by now, in the order of offsets within a partition."""

    def letter(self, partition: int, offset: int) -> StoredLetter | None:
        """The one at this place; None where there is none."""

    def close(self) -> None: ...
