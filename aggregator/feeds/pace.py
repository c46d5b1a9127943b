"""Sending at a rate, open loop: what a slow moment held back is sent as soon as it is over."""

import time
from collections.abc import Callable

SLOT_S = 0.02
TELL_EVERY_S = 5.0


class Pace:
    """Says how many records are due. `duration_s` None means without end."""

    def __init__(
        self,
        rate: float,
        duration_s: float | None,
        monotonic: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._rate = rate
        self._duration_s = duration_s
        self._monotonic = monotonic
        self._sleep = sleep
        self._began = monotonic()
        self.sent = 0

    @property
    def elapsed_s(self) -> float:
        return self._monotonic() - self._began

    def due(self) -> int:
        """How many to send now, after a short sleep where that is none; -1 at the end."""
        wanted = self._wanted()
        if self._duration_s is not None and self.sent >= int(self._rate * self._duration_s):
            return -1
        if wanted <= self.sent:
            self._sleep(SLOT_S)
            wanted = self._wanted()
        due = wanted - self.sent
        self.sent = wanted
        return due

    def _wanted(self) -> int:
        elapsed = self.elapsed_s
        if self._duration_s is not None:
            elapsed = min(elapsed, self._duration_s)
        return int(elapsed * self._rate)
