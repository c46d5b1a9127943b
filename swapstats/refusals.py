"""Counts in RAM who is refused and why, until the background tells the log of it: a request never waits for that."""

import time
from collections.abc import Callable
from threading import Lock

from swapstats.domain.errors import StoreUnavailable
from swapstats.ports.refusal_log import RefusalLog, Refused, Tally

MOST_AT_ONCE = 1_000
OTHERS = "others"
"""Who is counted together, once so many different ones were refused between two looks."""


class Refusals:
    """For any thread."""

    def __init__(self, wall_clock: Callable[[], float] = time.time) -> None:
        self._wall_clock = wall_clock
        self._lock = Lock()
        self._tallies: dict[Refused, Tally] = {}

    def note(self, who: str, code: str) -> None:
        self._count(Refused(who, code), Tally(1, int(self._wall_clock() * 1000)))

    def tell(self, log: RefusalLog) -> None:
        """Everything since the last time; what the log does not take is told the next time. Raises StoreUnavailable."""
        with self._lock:
            tallies, self._tallies = self._tallies, {}
        if not tallies:
            return
        try:
            log.add(tallies)
        except StoreUnavailable:
            for refused, tally in tallies.items():
                self._count(refused, tally)
            raise

    def _count(self, refused: Refused, tally: Tally) -> None:
        with self._lock:
            if refused not in self._tallies and len(self._tallies) >= MOST_AT_ONCE:
                refused = Refused(OTHERS, refused.code)
            known = self._tallies.get(refused, Tally(0, 0))
            self._tallies[refused] = Tally(known.times + tally.times, max(known.last_ms, tally.last_ms))
