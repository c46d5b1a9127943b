"""Which alerts go out: the same one not again and again, and not too many."""

from collections import OrderedDict
from dataclasses import dataclass

from swapstats.metrics.alarms import ALERTS
from swapstats.ports.alert_channel import Alert, Severity

MOST_KEYS = 1_000


@dataclass
class _Seen:
    sent_at: float
    repeated: int = 0


class Gate:
    """`repeat_after_s`: for how long the same key is held back; `per_minute`: how many alerts of any key may pass.
    Times are seconds of one clock that only moves forward. Critical alerts have the last fifth for themselves."""

    def __init__(self, repeat_after_s: float, per_minute: int) -> None:
        self._repeat_after_s = repeat_after_s
        self._burst = float(per_minute)
        self._refill_per_s = per_minute / 60
        self._allowance = float(per_minute)
        self._looked_at = 0.0
        self._seen: OrderedDict[str, _Seen] = OrderedDict()
        self._limited = 0

    def admit(self, alert: Alert, now: float) -> str | None:
        """The note to send the alert with, empty as a rule; None where it stays here, counted."""
        seen = self._seen.get(alert.key)
        if seen and now - seen.sent_at < self._repeat_after_s:
            seen.repeated += 1
            ALERTS.labels("repeated").inc()
            return None
        if not self._take(alert.severity, now):
            self._limited += 1
            ALERTS.labels("limited").inc()
            return None
        return self._note(self._pass(alert.key, now))

    def _take(self, severity: Severity, now: float) -> bool:
        self._allowance = min(self._burst, self._allowance + (now - self._looked_at) * self._refill_per_s)
        self._looked_at = now
        reserve = 0.0 if severity is Severity.CRITICAL else self._burst / 5
        if self._allowance < 1 + reserve and self._allowance < self._burst:
            return False
        self._allowance -= 1
        return True

    def _pass(self, key: str, now: float) -> int:
        """Remembers that it was sent; how often it was held back before."""
        before = self._seen.pop(key, None)
        self._seen[key] = _Seen(now)
        if len(self._seen) > MOST_KEYS:
            self._seen.popitem(last=False)
        return before.repeated if before else 0

    def _note(self, repeated: int) -> str:
        limited, self._limited = self._limited, 0
        notes = []
        if repeated:
            notes.append(f"It came {repeated} more times since it was last sent.")
        if limited:
            notes.append(f"{limited} other alerts were left out, because there were too many.")
        return " ".join(notes)
