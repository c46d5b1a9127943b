"""Which tokens carry a symbol. Symbols are a convenience: many tokens may carry the same one."""

from collections.abc import Callable
from threading import Lock

from realtime.token_view import TokenView


class SymbolIndex:
    """Follows the view lazily: changes are noted as they come, and looked at when someone asks."""

    def __init__(self, read: Callable[[str], TokenView | None]) -> None:
        self._read = read
        self._lock = Lock()
        self._noting = Lock()
        self._noted: set[str] = set()
        self._tokens: dict[str, set[str]] = {}
        self._symbols: dict[str, str] = {}

    def note(self, changed: frozenset[str]) -> None:
        with self._noting:
            self._noted |= changed

    def resolve(self, symbol: str) -> TokenView | None:
        """The token that people mean: that with the highest USD volume in the longest window."""
        views = [view for token_id in self._carriers(symbol) if (view := self._read(token_id))]
        return max(views, key=lambda view: (_volume(view), view.token_id), default=None)

    def matches(self, symbol: str | None) -> int:
        """How many known tokens carry the symbol."""
        if not symbol:
            return 0
        self.refresh()
        return len(self._tokens.get(symbol.casefold(), ()))

    def refresh(self) -> None:
        """Look at what was noted, so that the next who asks need not wait for it."""
        if not self._noted:
            return
        with self._lock:
            with self._noting:
                noted, self._noted = self._noted, set()
            for token_id in noted:
                self._file(token_id)

    def _carriers(self, symbol: str) -> list[str]:
        self.refresh()
        with self._lock:
            return list(self._tokens.get(symbol.casefold(), ()))

    def _file(self, token_id: str) -> None:
        view = self._read(token_id)
        symbol = view.symbol.casefold() if view and view.symbol else None
        before = self._symbols.pop(token_id, None)
        if before is not None and before != symbol:
            self._tokens[before].discard(token_id)
            if not self._tokens[before]:
                del self._tokens[before]
        if symbol is not None:
            self._symbols[token_id] = symbol
            self._tokens.setdefault(symbol, set()).add(token_id)


def _volume(view: TokenView) -> int:
    longest = max(range(len(view.windows)), key=lambda index: view.windows[index].length_ms)
    return view.part.windows[longest].usd
