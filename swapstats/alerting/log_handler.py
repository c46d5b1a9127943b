"""Errors in the log as alerts: whatever code says at level ERROR is meant for an operator."""

import logging
from collections.abc import Callable

from swapstats.alerting.alerter import Alerter
from swapstats.ports.alert_channel import Alert, Severity

OWN = "swapstats.alerting"


class AlertHandler(logging.Handler):
    """Lines of one message, whatever its arguments, are alerts about the same thing. `clean` takes secrets out."""

    def __init__(self, alerter: Alerter, clean: Callable[[str], str], process: str) -> None:
        super().__init__(logging.ERROR)
        self._alerter = alerter
        self._clean = clean
        self._process = process

    def emit(self, record: logging.LogRecord) -> None:
        if record.name.startswith(OWN):
            return
        severity = Severity.CRITICAL if record.levelno >= logging.CRITICAL else Severity.ERROR
        title = self._clean(record.getMessage())
        cause = repr(record.exc_info[1]) if record.exc_info else ""
        text = "\n".join(filter(None, (self._clean(cause), f"{self._process}, logger {record.name}")))
        self._alerter.alert(Alert(severity, f"{record.name}:{record.msg}", title, text))
