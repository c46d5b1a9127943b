"""The log as producers of swaps see it: the feeds write to it, nothing else of ours does."""

from collections.abc import Callable
from typing import NamedTuple, Protocol


class Sent(NamedTuple):
    """A record that the log has acknowledged, and where it stands."""

    key: bytes | None
    value: bytes
    timestamp_ms: int
    partition: int
    offset: int


class SwapSink(Protocol):
    """Writes records in the order given. `on_sent` hears of each acknowledged one, from within `send` and `flush`."""

    def send(self, key: bytes | None, value: bytes, timestamp_ms: int) -> None:
        """Queue a record; waits while the queue, which is bounded, is full. Raises SourceUnavailable where it stays
        full, or where the log refused a record sent before."""

    def flush(self) -> None:
        """Wait until everything is acknowledged. Raises SourceUnavailable where that takes too long."""


OnSent = Callable[[Sent], None]
