"""What operators see of the Redis that holds the state: its memory, the ledger's size, and its clock."""

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from redis.exceptions import RedisError

from swapstats.adapters.redis.ledger import ledger_index
from swapstats.adapters.redis.live_store import live_source_key
from swapstats.domain.errors import StoreUnavailable
from swapstats.metrics import stores as metrics

if TYPE_CHECKING:
    from redis import Redis


class RedisWatch:
    """Sets the gauges at each look. The ledger is that of the log which is live."""

    def __init__(self, client: "Redis", prefix: str, wall_clock: Callable[[], float] = time.time) -> None:
        self._client = client
        self._prefix = prefix
        self._wall_clock = wall_clock

    def __call__(self) -> None:
        """Raises StoreUnavailable."""
        try:
            self._look()
        except (RedisError, OSError) as error:
            raise StoreUnavailable(f"Redis: {error or type(error).__name__}") from error

    def _look(self) -> None:
        memory: dict[str, Any] = self._client.info("memory")
        metrics.MEMORY_USED.set(memory["used_memory"])
        metrics.MEMORY_LIMIT.set(memory["maxmemory"])
        metrics.CLOCK_SKEW.set(self._skew_s())
        source: Any = self._client.get(live_source_key(self._prefix))
        if source:
            entries: Any = self._client.hget(ledger_index(self._prefix, source.decode()), "entries")
            metrics.LEDGER_ENTRIES.set(int(entries or 0))

    def _skew_s(self) -> float:
        """Half the round trip is taken for the way back."""
        before = self._wall_clock()
        seconds, microseconds = self._client.time()
        midway = (before + self._wall_clock()) / 2
        return midway - (int(seconds) + int(microseconds) / 1e6)
