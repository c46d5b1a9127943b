"""Takes alerts from any thread and sends them from one of its own."""

import logging
import time
from collections import deque
from collections.abc import Callable
from threading import Condition, Thread

from swapstats.alerting.gate import Gate
from swapstats.domain.errors import AlertNotSent
from swapstats.metrics.alarms import ALERTS
from swapstats.ports.alert_channel import Alert, AlertChannel

log = logging.getLogger(__name__)

MOST_WAITING = 100
ATTEMPTS = 8
FIRST_PAUSE_S = 1.0
LONGEST_PAUSE_S = 300.0
CLOSE_SECONDS = 5.0


class Alerter:
    """At most 100 alerts wait; what comes then is dropped and counted. One that cannot be delivered is tried eight
    times, with pauses that double or are as long as the receiver asks for."""

    def __init__(self, channel: AlertChannel, gate: Gate, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._channel = channel
        self._gate = gate
        self._monotonic = monotonic
        self._waiting: deque[tuple[Alert, str]] = deque()
        self._changed = Condition()
        self._closing = False
        self._busy = False
        self._thread = Thread(target=self._run, name="alerter", daemon=True)
        self._thread.start()

    def alert(self, alert: Alert) -> None:
        """Returns at once."""
        with self._changed:
            note = self._gate.admit(alert, self._monotonic())
            if note is None:
                return
            if len(self._waiting) >= MOST_WAITING:
                ALERTS.labels("dropped").inc()
                return
            self._waiting.append((alert, note))
            self._changed.notify_all()

    def close(self, seconds: float = CLOSE_SECONDS) -> None:
        """Gives what waits this long to be sent; then it is given up."""
        with self._changed:
            self._changed.wait_for(lambda: not (self._waiting or self._busy), seconds)
            self._closing = True
            self._changed.notify_all()

    def _run(self) -> None:
        while True:
            with self._changed:
                self._busy = False
                self._changed.notify_all()
                self._changed.wait_for(lambda: self._waiting or self._closing)
                if self._closing:
                    return
                alert, note = self._waiting.popleft()
                self._busy = True
            self._deliver(alert, note)

    def _deliver(self, alert: Alert, note: str) -> None:
        pause_s = FIRST_PAUSE_S
        for attempt in range(1, ATTEMPTS + 1):
            try:
                self._channel.send(alert, note)
            except AlertNotSent as error:
                if error.is_final or attempt == ATTEMPTS or self._rests(max(pause_s, error.retry_after_s)):
                    ALERTS.labels("failed").inc()
                    log.warning("the alert %r was not sent: %s", alert.title, error)
                    return
                pause_s = min(2 * pause_s, LONGEST_PAUSE_S)
            else:
                ALERTS.labels("sent").inc()
                return

    def _rests(self, seconds: float) -> bool:
        """Waits; whether the alerter was closed meanwhile."""
        with self._changed:
            return self._changed.wait_for(lambda: self._closing, min(seconds, LONGEST_PAUSE_S))
