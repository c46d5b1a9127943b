"""One partition in the hands of a worker: its engine, how far it has been read, and where its live view stands."""

from collections import Counter
from dataclasses import dataclass, field
from uuid import uuid4

from aggregator.windows.engine import WindowEngine
from swapstats.ports.checkpoint_store import CheckpointMeta, Lease
from swapstats.ports.live_store import LiveMeta


@dataclass
class Partition:
    """State of a partition after all records below `next_offset`.

    It is published only once it has passed `publish_from`, so that no reader sees time run backwards.
    """

    lease: Lease
    engine: WindowEngine
    next_offset: int
    publish_from: int
    live: LiveMeta
    complete_since_ms: int
    outcomes: Counter[str]
    revision: int
    has_gap: bool = False
    """Records were lost ahead of `next_offset`; the next record says from when on all is complete."""
    is_known_whole: bool = False
    """The live store holds what we published; otherwise the next step tells everything."""
    published: set[str] = field(default_factory=set)
    saved_offset: int = -1
    saved_at_ms: int = 0

    @property
    def number(self) -> int:
        return self.lease.partition

    @property
    def is_caught_up(self) -> bool:
        return self.next_offset >= self.publish_from

    def checkpoint_meta(self, now_ms: int) -> CheckpointMeta:
        """The meta of the next checkpoint."""
        return CheckpointMeta(self.revision + 1, self.next_offset, self.outcomes, self.complete_since_ms, now_ms)


def fresh_live_meta(windows: str) -> LiveMeta:
    """Where a live view begins that continues no other."""
    return LiveMeta(uuid4().hex[:12], 0, 0, 0, 0, windows)
