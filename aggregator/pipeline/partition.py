"""One partition in the hands of a worker: its engine, how far it has been read, and where its live view stands."""

from collections import Counter, deque
from dataclasses import dataclass, field
from uuid import uuid4

from aggregator.windows.engine import WindowEngine
from swapstats.ports.checkpoint_store import CheckpointMeta, Lease
from swapstats.ports.ledger import Mail, Stand
from swapstats.ports.live_store import LiveMeta


@dataclass
class Partition:
    """State of a partition after all records from `begins_at` to below `next_offset`, and its mail up to `mail_id`.

    It is published only once it has passed `publish_from`, and what mail it may have had then has taken effect, so that
    no reader sees time run backwards.
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
    begins_at: int = 0
    mail_id: str = ""
    mail: deque[Mail] = field(default_factory=deque)
    """Read, and waits for swaps ahead of `next_offset`."""
    has_more_mail: bool = False
    """There may be more than was read at once."""
    letters_are_known: bool = False
    """It was looked up what the dead letter queue has that nobody could note."""
    saved: tuple[int, str] | None = None
    """Next offset and mail id as last saved."""
    saved_at_ms: int = 0

    @property
    def number(self) -> int:
        return self.lease.partition

    @property
    def is_caught_up(self) -> bool:
        return self.next_offset >= self.publish_from and not (self.has_more_mail and not self.mail)

    @property
    def stand(self) -> Stand:
        return Stand(self.lease.epoch, self.begins_at)

    @property
    def progress(self) -> tuple[int, str]:
        """How far the log and the mail have been read."""
        return self.next_offset, self.mail_id

    def checkpoint_meta(self, now_ms: int) -> CheckpointMeta:
        """The meta of the next checkpoint."""
        counts, since_ms = self.outcomes, self.complete_since_ms
        return CheckpointMeta(
            self.revision + 1, self.next_offset, counts, since_ms, now_ms, self.begins_at, self.mail_id
        )


def fresh_live_meta(windows: str) -> LiveMeta:
    """Where a live view begins that continues no other."""
    return LiveMeta(uuid4().hex[:12], 0, 0, 0, 0, windows)
