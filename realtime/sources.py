"""`token:<id>`: one token's stats, with the windows that were chosen (None: all)."""

from realtime import figures
from realtime.figures import Figures
from realtime.stream import Json, State
from realtime.view import LiveView


class TokenStats:
    def __init__(self, view: LiveView, token_id: str, windows: tuple[str, ...] | None) -> None:
        self.topic = f"token:{token_id}"
        self.token_id = token_id
        self.windows = windows
        self._view = view
        self._last: State | None = None

    def read(self) -> State:
        """Raises ViewNotReady."""
        token = self._view.opening(self.token_id)
        matches = self._view.symbols.matches(token.symbol)
        last = self._last
        if last is None or last.content.view is not token or last.content.symbol_matches != matches:
            now = figures.figures(token, matches, self.windows)
            last = self._last = State(token.epoch, token.seq, token.reorg_seq, now)
        return last

    def body(self, content: Figures) -> Json:
        return figures.body(content)

    def patch(self, old: Figures, new: Figures) -> str:
        return figures.patch(old, new)
