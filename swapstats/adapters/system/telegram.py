"""Alerts through the Telegram Bot API (https://core.telegram.org/bots/api#sendmessage)."""

import http
import json
import socket
import urllib.error
import urllib.request
from typing import Any

from swapstats.domain.errors import AlertNotSent
from swapstats.ports.alert_channel import Alert, Severity

MARKS = {Severity.INFO: "ℹ️", Severity.WARNING: "⚠️", Severity.ERROR: "❗", Severity.CRITICAL: "🔥"}
MOST_CHARACTERS = 4_096
TIMEOUT_S = 10
MOST_ANSWER_BYTES = 65_536


class TelegramChannel:
    """Sends to one chat. The token is part of the address that is asked, so no error tells that address."""

    def __init__(self, api_base: str, bot_token: str, chat_id: str, *, silent_below: Severity = Severity.ERROR) -> None:
        """Alerts less severe than `silent_below` make no sound."""
        self._address = f"{api_base.rstrip('/')}/bot{bot_token}/sendMessage"
        self._chat_id = chat_id
        self._loud = list(Severity)[list(Severity).index(silent_below) :]
        self._host = socket.gethostname()

    def send(self, alert: Alert, note: str) -> None:
        message = {
            "chat_id": self._chat_id,
            "text": self._text(alert, note),
            "disable_notification": alert.severity not in self._loud,
            "link_preview_options": {"is_disabled": True},
        }
        headers = {"Content-Type": "application/json"}
        request = urllib.request.Request(self._address, json.dumps(message).encode(), headers)  # noqa: S310 - http(s), as configured
        try:
            with urllib.request.urlopen(request, timeout=TIMEOUT_S) as answer:  # noqa: S310
                answer.read(MOST_ANSWER_BYTES)
        except urllib.error.HTTPError as refusal:
            raise _refused(refusal.code, refusal.read(MOST_ANSWER_BYTES)) from None
        except (OSError, http.client.HTTPException) as trouble:
            reason = getattr(trouble, "reason", trouble)
            raise AlertNotSent(f"Telegram does not answer: {reason or type(trouble).__name__}") from None

    def _text(self, alert: Alert, note: str) -> str:
        head = f"{MARKS[alert.severity]} {alert.severity.upper()} · {self._host}\n{alert.title}"
        text = "\n\n".join(filter(None, (head, alert.text, note)))
        return text if len(text) <= MOST_CHARACTERS else f"{text[: MOST_CHARACTERS - 1]}…"


def _refused(status: int, body: bytes) -> AlertNotSent:
    """A wrong token or chat stays wrong; too many messages and the server's own troubles pass."""
    answer = _read(body)
    wait_s = answer.get("parameters", {}).get("retry_after", 0)
    is_final = 400 <= status < 500 and status != http.HTTPStatus.TOO_MANY_REQUESTS
    what = f"Telegram refused with {status}: {answer.get('description', 'no reason given')}"
    return AlertNotSent(what, is_final=is_final, retry_after_s=float(wait_s))


def _read(body: bytes) -> dict[str, Any]:
    try:
        answer = json.loads(body)
    except ValueError:
        return {}
    return answer if isinstance(answer, dict) else {}
