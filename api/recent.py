"""What was made a moment ago and may be given again."""

import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from threading import Lock
from typing import Generic, TypeVar

T = TypeVar("T")


class Recent(Generic[T]):
    """At most `most` values, each for `seconds` after it was made. For any thread. While one makes a value, others get
    the one before, if that is no more than twice as old; else they wait, so that it is made once."""

    def __init__(self, seconds: float, most: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._seconds = seconds
        self._most = most
        self._clock = clock
        self._lock = Lock()
        self._values: OrderedDict[Hashable, tuple[float, T]] = OrderedDict()

    def get(self, key: Hashable, make: Callable[[], T]) -> T:
        found = self._values.get(key)
        if found and self._is_within(1, found):
            return found[1]
        if found and self._lock.locked() and self._is_within(2, found):
            return found[1]
        with self._lock:
            return self._get(key, make)

    def _get(self, key: Hashable, make: Callable[[], T]) -> T:
        found = self._values.get(key)
        if found and self._is_within(1, found):
            return found[1]
        value = make()
        self._keep(key, value)
        return value

    def _is_within(self, times: int, found: tuple[float, T]) -> bool:
        return self._clock() - found[0] < times * self._seconds

    def find(self, key: Hashable) -> T | None:
        """What was kept under `key`, if it is not too old."""
        found = self._values.get(key)
        return found[1] if found and self._is_within(1, found) else None

    def _keep(self, key: Hashable, value: T) -> None:
        self._values[key] = (self._clock(), value)
        self._values.move_to_end(key)
        while len(self._values) > self._most:
            self._values.popitem(last=False)
