"""Rolling windows over time buckets (CONTRACT §2).

At time `now` a window of length L and bucket b covers the buckets from floor(now, b) - L + b up to the one that
holds now. The newest bucket is counted whole, so a swap dated moments ahead of `now` counts with its bucket:

    L = 15, b = 5        |--0--|--5--|--10-|--15-|--20-|
    now = 17                   [===============]           buckets 5, 10, 15
    now = 20                         [===============]     buckets 10, 15, 20
"""

from collections.abc import Sequence
from typing import NamedTuple


class Window(NamedTuple):
    """A window's name, length and bucket width in milliseconds; the length is a multiple of the width."""

    name: str
    length_ms: int
    bucket_ms: int

    @property
    def buckets(self) -> int:
        """How many buckets the window covers."""
        return self.length_ms // self.bucket_ms

    def first_bucket(self, now_ms: int) -> int:
        """Index of the oldest bucket covered at `now_ms`; bucket i spans [i * bucket_ms, (i + 1) * bucket_ms)."""
        return now_ms // self.bucket_ms - self.buckets + 1

    def from_ms(self, now_ms: int) -> int:
        """Where the window begins at `now_ms`."""
        return self.first_bucket(now_ms) * self.bucket_ms


def longest_ms(windows: Sequence[Window]) -> int:
    return max(window.length_ms for window in windows)


def finest_bucket_ms(windows: Sequence[Window]) -> int:
    return min(window.bucket_ms for window in windows)
