"""Sampling: what is said again and again is said a few times, and then how often it was left out."""

import logging
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from threading import Lock

from swapstats.metrics.alarms import LOG_SUPPRESSED

Key = tuple[str, int, object]


@dataclass
class _Spell:
    began: float
    said: int = 0
    suppressed: int = 0


class FloodFilter(logging.Filter):
    """Lets the first `burst` lines of a kind pass in each spell of `seconds`; a kind is one logger's one message,
    before its arguments are filled in. The first line of the next spell carries `suppressed`: how many it left."""

    def __init__(
        self,
        burst: int = 20,
        seconds: float = 10.0,
        kinds: int = 1_000,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__()
        self._burst = burst
        self._seconds = seconds
        self._kinds = kinds
        self._monotonic = monotonic
        self._spells: OrderedDict[Key, _Spell] = OrderedDict()
        self._lock = Lock()

    def filter(self, record: logging.LogRecord) -> bool:
        with self._lock:
            spell = self._spell((record.name, record.levelno, record.msg if isinstance(record.msg, str) else ""))
            spell.said += 1
            if spell.said > self._burst:
                spell.suppressed += 1
                LOG_SUPPRESSED.labels(record.levelname).inc()
                return False
            if spell.suppressed:
                record.suppressed = spell.suppressed
                spell.suppressed = 0
            return True

    def _spell(self, key: Key) -> _Spell:
        """The one that runs now; a new one remembers what was left out in the last."""
        now = self._monotonic()
        spell = self._spells.pop(key, None)
        if spell is None or now - spell.began >= self._seconds:
            spell = _Spell(now, suppressed=spell.suppressed if spell else 0)
        self._spells[key] = spell
        if len(self._spells) > self._kinds:
            self._spells.popitem(last=False)
        return spell
