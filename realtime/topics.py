"""Topics as clients write them, and the sources they stand for."""

import re
from collections.abc import Mapping, Sequence

from realtime.protocol import ErrorCode
from realtime.sources import TokenStats
from realtime.stream import Source
from realtime.view import LiveView
from swapstats.domain.errors import MessageRefused, ViewNotReady
from swapstats.domain.swap import canonical_identifier, token_id

_TOKEN_ID = re.compile(r"([1-9]\d{0,18}):(.{1,128})", re.DOTALL)
_SYMBOL_CHARACTERS = 64


class Topics:
    """Makes sources of topics. `windows` are the names that a deployment has configured."""

    def __init__(self, view: LiveView, windows: Sequence[str]) -> None:
        self._view = view
        self.windows = tuple(windows)

    def source(self, topic: str, windows: Sequence[str] | None, ranking: Mapping[str, str]) -> Source:
        """Raises MessageRefused, saying why there is no such topic."""
        kind, _, name = topic.partition(":")
        chosen = self._chosen(windows)
        if kind == "token" and name:
            return TokenStats(self._view, self.token_id(name), chosen)
        raise MessageRefused(ErrorCode.UNKNOWN_TOPIC, "Expected `token:<id or symbol>`")

    def token_id(self, reference: str) -> str:
        """The identity of a token that is named by it, known or not, or by its symbol."""
        if identity := _TOKEN_ID.fullmatch(reference):
            return token_id(int(identity[1]), canonical_identifier(identity[2]))
        found = self._view.symbols.resolve(reference) if len(reference) <= _SYMBOL_CHARACTERS else None
        if found:
            return found.token_id
        try:
            self._view.as_of_ms()
        except ViewNotReady as error:
            raise MessageRefused(ErrorCode.NOT_READY, f"No symbol is known yet: {error}") from error
        raise MessageRefused(ErrorCode.UNKNOWN_SYMBOL, f"No token carries the symbol {reference[:80]!r}")

    def _chosen(self, windows: Sequence[str] | None) -> tuple[str, ...] | None:
        """In their configured order; None for all of them."""
        unknown = set(windows or ()).difference(self.windows)
        if unknown or windows == []:
            raise MessageRefused(ErrorCode.BAD_WINDOW, f"Expected windows among {', '.join(self.windows)}")
        chosen = tuple(name for name in self.windows if windows is None or name in windows)
        return None if chosen == self.windows else chosen
