"""A token bucket, kept as the one number that says it all: when it will be full again."""

from typing import NamedTuple

INSTANT = 1e-6
"""Shorter than this is no wait, but the rounding of a sum."""


class Drawn(NamedTuple):
    """`full_at` is the bucket's new state."""

    is_allowed: bool
    full_at: float
    remaining: int
    wait: float


def draw(full_at: float, now: float, refill_per_sec: float, burst: int, cost: int = 1) -> Drawn:
    """Take `cost` out at `now`, if it is there; in seconds of any clock. What is refused costs nothing."""
    was_full_at = max(full_at, now)
    would_be_full_at = was_full_at + cost / refill_per_sec
    wait = would_be_full_at - now - burst / refill_per_sec
    is_allowed = wait <= INSTANT
    full_at = would_be_full_at if is_allowed else was_full_at
    remaining = int(burst - (full_at - now) * refill_per_sec + INSTANT * refill_per_sec)
    return Drawn(is_allowed, full_at, max(0, remaining), 0.0 if is_allowed else wait)
