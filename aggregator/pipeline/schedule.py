"""When to publish and when to snapshot, in milliseconds of the shared clock."""


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

    def published(self, now_ms: int) -> None:
        took_ms = now_ms - self._tick_began_ms
        earliest_ms = max(self._tick_began_ms + self._coalesce_ms, now_ms + took_ms)
        self._next_tick_ms = earliest_ms - earliest_ms % self._coalesce_ms

    def snapshotted(self, now_ms: int) -> None:
        self._next_snapshot_ms = now_ms + self._snapshot_interval_ms
