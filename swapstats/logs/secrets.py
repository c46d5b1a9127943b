"""No secret reaches a log: neither those that are configured, nor what looks like one."""

import re
from collections.abc import Iterable, Mapping, MutableMapping
from typing import Any

HIDDEN = "[secret]"
SHORTEST = 6
"""Shorter secrets would blot out ordinary words."""

_PATTERNS = (
    re.compile(r"(?i)(?P<kept>\bbearer[ .]+)[\w.~+/=-]{8,}"),
    re.compile(r"(?P<kept>)\beyJ[\w-]{5,}\.[\w-]+\.[\w-]+"),  # a JSON Web Token, wherever it stands
    re.compile(r"(?P<kept>://[^/@\s:]*:)[^/@\s]+(?=@)"),
    re.compile(r"(?P<kept>\bbot)\d{5,}:[\w-]{20,}"),  # a Telegram bot's, as part of its URLs
    re.compile(r"(?i)(?P<kept>\b(?:ticket|token|password|secret|api_?key)=)[^&\s\"']+"),
)


class Redactor:
    """A structlog processor; `known` are the configured secrets."""

    def __init__(self, known: Iterable[str]) -> None:
        words = sorted((re.escape(word) for word in known if len(word) >= SHORTEST), key=len, reverse=True)
        self._known = re.compile("|".join(words)) if words else None

    def __call__(self, _logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        return {self.text(key): self._clean(value) for key, value in event.items()}

    def text(self, text: str) -> str:
        """The text without secrets."""
        if self._known:
            text = self._known.sub(HIDDEN, text)
        for pattern in _PATTERNS:
            text = pattern.sub(rf"\g<kept>{HIDDEN}", text)
        return text

    def _clean(self, value: Any) -> Any:
        """What is neither number nor text is written as text, or it could hide something."""
        if value is None or isinstance(value, bool | int | float):
            return value
        if isinstance(value, Mapping):
            return {self.text(str(key)): self._clean(item) for key, item in value.items()}
        if isinstance(value, list | tuple | set | frozenset):
            return [self._clean(item) for item in value]
        return self.text(str(value))
