"""Where alerts for people go."""

from enum import StrEnum
from typing import NamedTuple, Protocol


class Severity(StrEnum):
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"
    CRITICAL = "critical"


class Alert(NamedTuple):
    """`key` is the same for alerts about the same thing; `text` is plain."""

    severity: Severity
    key: str
    title: str
    text: str = ""


class AlertChannel(Protocol):
    def send(self, alert: Alert, note: str) -> None:
        """Deliver it, with a note about others that were left out; returns once it is accepted, within seconds.
        Raises AlertNotSent; where it may help to try again, that says when."""
