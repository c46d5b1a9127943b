"""Token buckets: how much each caller may ask for."""

from typing import NamedTuple, Protocol


class BucketSize(NamedTuple):
    """`burst` requests at once, `refill_per_sec` in the long run."""

    refill_per_sec: float
    burst: int


class Verdict(NamedTuple):
    """Whether the request is within its bucket; then it counts. `remaining` requests are left, the bucket is full again
    in `reset_s`, and one that was refused may come again in `retry_after_s`."""

    is_allowed: bool
    limit: int
    remaining: int
    reset_s: float
    retry_after_s: float


class RateLimiter(Protocol):
    """For any thread; never raises for a store that is away, and then never takes longer than a moment."""

    def take(self, key: str, size: BucketSize, cost: int = 1) -> Verdict:
        """One request of `key` that counts as `cost`."""
