"""Topics as clients write them, and the sources they stand for.

    token:<id or symbol>          token:1:0xa0b8…   token:USDC
    overview:<window>?<options>   overview:5m       overview:1h?limit=50&sort=trades

Options may as well be members of the message.
"""

import secrets
from collections.abc import Mapping, Sequence

from realtime.overview import Overview
from realtime.protocol import ErrorCode
from realtime.ranking import Ranking
from realtime.sources import TokenStats
from realtime.stream import Source
from realtime.top_list import parse_top_list
from realtime.view import LiveView
from swapstats.domain.errors import MessageRefused, ViewNotReady
from swapstats.domain.swap import parse_token_id

_SYMBOL_CHARACTERS = 64


class Topics:
    """Makes sources of topics. `windows` are the names that a deployment has configured."""

    def __init__(self, view: LiveView, ranking: Ranking, windows: Sequence[str]) -> None:
        self.windows = tuple(windows)
        self._view = view
        self._ranking = ranking
        self._epoch = secrets.token_hex(8)

    def source(self, topic: str, windows: Sequence[str] | None, options: Mapping[str, str]) -> Source:
        """Raises MessageRefused, saying why there is no such topic."""
        kind, _, name = topic.partition(":")
        chosen = self._chosen(windows)
        if kind == "token" and name:
            return TokenStats(self._view, self.token_id(name), chosen)
        if kind == "overview" and name:
            return self._overview(name, chosen, options)
        raise MessageRefused(ErrorCode.UNKNOWN_TOPIC, "Expected `token:<id or symbol>` or `overview:<window>`")

    def token_id(self, reference: str) -> str:
        """The identity of a token that is named by it, known or not, or by its symbol."""
        if identity := parse_token_id(reference):
            return identity
        found = self._view.symbols.resolve(reference) if len(reference) <= _SYMBOL_CHARACTERS else None
        if found:
            return found.token_id
        try:
            self._view.require_loaded()
        except ViewNotReady as error:
            raise MessageRefused(ErrorCode.NOT_READY, f"No symbol is known yet: {error}") from error
        raise MessageRefused(ErrorCode.UNKNOWN_SYMBOL, f"No token carries the symbol {reference[:80]!r}")

    def _overview(self, name: str, windows: tuple[str, ...] | None, options: Mapping[str, str]) -> Overview:
        window, _, query = name.partition("?")
        if window not in self.windows:
            raise MessageRefused(ErrorCode.BAD_WINDOW, f"Expected one of {', '.join(self.windows)}")
        wanted = parse_top_list(query, options)
        topic, order = wanted.topic(window), wanted.order_in(window)
        return Overview(self._ranking, self._view, topic, order, wanted.limit, windows, self._epoch)

    def _chosen(self, windows: Sequence[str] | None) -> tuple[str, ...] | None:
        """In their configured order; None for all of them."""
        unknown = set(windows or ()).difference(self.windows)
        if unknown or windows == []:
            raise MessageRefused(ErrorCode.BAD_WINDOW, f"Expected windows among {', '.join(self.windows)}")
        chosen = tuple(name for name in self.windows if windows is None or name in windows)
        return None if chosen == self.windows else chosen
