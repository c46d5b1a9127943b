"""Token buckets of one process."""

import time
from collections import OrderedDict
from collections.abc import Callable
from threading import Lock

from swapstats.domain.token_bucket import draw
from swapstats.ports.rate_limiter import BucketSize, Verdict

MAX_BUCKETS = 100_000


class LocalRateLimiter:
    """At most a hundred thousand buckets; those that were not used for the longest time are forgotten first."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = Lock()
        self._full_at: OrderedDict[str, float] = OrderedDict()

    def take(self, key: str, size: BucketSize, cost: int = 1) -> Verdict:
        with self._lock:
            now = self._clock()
            drawn = draw(self._full_at.get(key, now), now, size.refill_per_sec, size.burst, cost)
            self._full_at[key] = drawn.full_at
            self._full_at.move_to_end(key)
            while len(self._full_at) > MAX_BUCKETS:
                self._full_at.popitem(last=False)
        return Verdict(drawn.is_allowed, size.burst, drawn.remaining, max(0.0, drawn.full_at - now), drawn.wait)
