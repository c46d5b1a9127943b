"""Token buckets shared by all web processes, in one round trip to Redis each; without Redis, those of the process."""

import logging
import time
from collections.abc import Callable
from pathlib import Path

from redis import Redis
from redis.exceptions import RedisError

from swapstats.adapters.redis.quick_script import QuickScript
from swapstats.ports.rate_limiter import BucketSize, RateLimiter, Verdict

log = logging.getLogger(__name__)

RETRY_SECONDS = 1.0
"""How long Redis is left alone after it has failed, so that not every request waits for it."""

_SCRIPT = (Path(__file__).parent / "take.lua").read_text()
_MICROSECONDS = 1e-6


class RedisRateLimiter:
    """`client` is to give up within a fraction of a second; `fallback` takes over for a second whenever it has."""

    def __init__(
        self, client: "Redis", prefix: str, fallback: RateLimiter, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._script = QuickScript(client, _SCRIPT)
        self._prefix = f"{prefix}limit:"
        self._fallback = fallback
        self._clock = clock
        self._away_until = 0.0

    def take(self, key: str, size: BucketSize, cost: int = 1) -> Verdict:
        if self._clock() >= self._away_until:
            try:
                return self._ask(key, size, cost)
            except (RedisError, OSError) as error:
                self._away_until = self._clock() + RETRY_SECONDS
                log.warning("rate limits are this process's own for a second: %s", error or type(error).__name__)
        return self._fallback.take(key, size, cost)

    def _ask(self, key: str, size: BucketSize, cost: int) -> Verdict:
        allowed, remaining, full_in, wait = self._script.call(self._prefix + key, *size, cost)
        return Verdict(bool(allowed), size.burst, remaining, full_in * _MICROSECONDS, wait * _MICROSECONDS)
