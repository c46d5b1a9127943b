"""Where invalid records go: kept whole, with the reason."""

from collections.abc import Sequence
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

    def close(self) -> None: ...
