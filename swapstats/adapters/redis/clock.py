"""Redis's clock as everybody's clock: a machine whose own clock is off by minutes does no harm."""

import time
from collections.abc import Callable

from swapstats.adapters.redis.session import RedisSession


class RedisClock:
    """Redis's time, carried on between two looks at it by this machine's monotonic clock."""

    def __init__(self, session: RedisSession, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._session = session
        self._monotonic = monotonic
        self._latest_ms = 0
        self._offset_ms = 0.0
        self.sync()

    def sync(self) -> None:
        """Look at Redis's clock again; half the round trip is taken for the way back. Raises StoreUnavailable."""
        before = self._monotonic()
        seconds, microseconds = self._session.command("TIME")
        midway = (before + self._monotonic()) / 2
        self._offset_ms = int(seconds) * 1000 + int(microseconds) / 1000 - midway * 1000

    def now_ms(self) -> int:
        self._latest_ms = max(self._latest_ms, int(self._monotonic() * 1000 + self._offset_ms))
        return self._latest_ms
