"""Numbers that come by the thousand are noted here, and told to prometheus_client a few times a second.

There, with files that processes share, one answer's dozen numbers cost as much as finding and sending the answer. They
are told before metrics are shown, and within half a second for those who look at another process of the machine.
"""

from bisect import bisect_left
from collections.abc import Callable
from threading import Lock, Timer
from typing import Any

TELL_AFTER_S = 0.5

_lock = Lock()
_waiting: list[Callable[[], None]] = []


def tell_soon(tell: Callable[[], None]) -> None:
    """Have `tell` called once; it is not to wait for anything."""
    with _lock:
        _waiting.append(tell)
        is_first = len(_waiting) == 1
    if is_first:
        timer = Timer(TELL_AFTER_S, tell_noted)
        timer.daemon = False  # a process that ends tells the rest first
        timer.start()


def tell_noted() -> None:
    """Tell all that was noted."""
    with _lock:
        due = _waiting.copy()
        _waiting.clear()
    for tell in due:
        tell()


class NotedHistogram:
    """A histogram's observations by its buckets. Not for several threads at once."""

    def __init__(self, histogram: Any) -> None:
        self._sum, self._buckets = histogram._sum, histogram._buckets
        self._bounds: list[float] = histogram._upper_bounds
        self._forget()

    def _forget(self) -> None:
        self._total = 0.0
        self._counts = [0] * len(self._bounds)

    def note(self, amount: float, times: int = 1) -> None:
        self._total += amount * times
        self._counts[bisect_left(self._bounds, amount)] += times

    def tell(self) -> None:
        self._sum.inc(self._total)
        for bucket, count in zip(self._buckets, self._counts, strict=True):
            if count:
                bucket.inc(count)
        self._forget()
