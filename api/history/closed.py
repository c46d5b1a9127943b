"""Candles that were read a moment ago and will hardly have changed."""

import time
from collections import OrderedDict
from collections.abc import Callable
from threading import Lock

from api.history.span import Span
from swapstats.ports.swap_archive import Candle, Token

Key = tuple[Token, Span, bool]


class ClosedCandles:
    """At most `most` answers, each for `seconds`. For any thread; nobody waits while another reads."""

    def __init__(self, seconds: float, most: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._seconds = seconds
        self._most = most
        self._clock = clock
        self._lock = Lock()
        self._kept: OrderedDict[Key, tuple[float, list[Candle]]] = OrderedDict()

    def get(self, key: Key, read: Callable[[], list[Candle]]) -> list[Candle]:
        with self._lock:
            kept = self._kept.get(key)
        if kept and self._clock() - kept[0] < self._seconds:
            return kept[1]
        candles = read()
        with self._lock:
            self._kept[key] = (self._clock(), candles)
            self._kept.move_to_end(key)
            while len(self._kept) > self._most:
                self._kept.popitem(last=False)
        return candles
