"""When to publish and when to snapshot, in milliseconds of the shared clock."""

BEHIND_TICK_MS = 1_000


class Schedule:
    """Ticks fall on multiples of the coalescing time, so that all workers evaluate their partitions at the same
    instants. A tick that takes longer than half of that time is followed by as long a pause, so that a worker with
    very many changing tokens still gets on with reading."""

    def __init__(self, coalesce_ms: int, snapshot_interval_ms: int) -> None:
        self._coalesce_ms = coalesce_ms
        self._snapshot_interval_ms = snapshot_interval_ms
        self._next_tick_ms = 0
        self._next_snapshot_ms = 0
        self._tick_began_ms = 0

    def is_due(self, now_ms: int) -> bool:
        return self.publish_due(now_ms) or self.snapshot_due(now_ms)

    def publish_due(self, now_ms: int) -> bool:
        return now_ms >= self._next_tick_ms

    def snapshot_due(self, now_ms: int) -> bool:
        return now_ms >= self._next_snapshot_ms

    def tick_ms(self, now_ms: int) -> int:
        """The instant that the tick at `now_ms` speaks of."""
        self._tick_began_ms = now_ms
        return now_ms - now_ms % self._coalesce_ms

    def published(self, now_ms: int, *, behind: bool) -> None:
        """A tick is done. While the worker is `behind` the log, its numbers are old anyway, and reading comes first."""
        took_ms = now_ms - self._tick_began_ms
        interval_ms = max(self._coalesce_ms, BEHIND_TICK_MS) if behind else self._coalesce_ms
        earliest_ms = max(self._tick_began_ms + interval_ms, now_ms + took_ms)
        self._next_tick_ms = earliest_ms - earliest_ms % self._coalesce_ms

    def snapshotted(self, now_ms: int) -> None:
        self._next_snapshot_ms = now_ms + self._snapshot_interval_ms
