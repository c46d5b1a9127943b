"""A line of progress now and then, for commands that run long."""

import time
from collections.abc import Callable

EVERY_S = 5.0


class Progress:
    """Counts and tells: how many, how fast, of how many where that is known."""

    def __init__(self, what: str, say: Callable[[str], object], total: int | None = None) -> None:
        self._what = what
        self._say = say
        self._total = total
        self._began = self._told = time.monotonic()
        self._told_count = 0
        self.count = 0

    def add(self, count: int = 1) -> None:
        self.count += count
        now = time.monotonic()
        if now - self._told >= EVERY_S:
            rate = (self.count - self._told_count) / (now - self._told)
            of = f" of {self._total}" if self._total else ""
            self._say(f"{self.count}{of} {self._what}, {rate:.0f}/s")
            self._told, self._told_count = now, self.count

    def done(self) -> None:
        elapsed = max(time.monotonic() - self._began, 1e-9)
        self._say(f"{self.count} {self._what} in {elapsed:.1f} s ({self.count / elapsed:.0f}/s)")
