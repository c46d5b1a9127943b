"""The feed of steps from workers to web processes: fast, at most once, unordered between senders.

A lost message is a delay, not an error: `Step.prev_seq` shows the gap and the reader loads the partition anew.
"""

from collections.abc import AsyncGenerator, Sequence
from typing import NamedTuple, Protocol

from swapstats.ports.live_store import Step


class Tick(NamedTuple):
    """What one worker sends per tick: a step for each partition it holds, also those in which nothing changed."""

    source: str
    worker: str
    steps: Sequence[Step]


class UpdateSender(Protocol):
    def send(self, tick: Tick) -> None:
        """Hand the tick to every web process; returns at once and never blocks on a slow reader or a lost
        connection: what could not be sent is dropped and counted."""

    def close(self) -> None:
        """Send what is still queued, for a bounded time, and let go of the connection."""


class UpdateReceiver(Protocol):
    def ticks(self) -> AsyncGenerator[Tick, None]:
        """Ticks as they come, until closed or cancelled; reconnects by itself."""
