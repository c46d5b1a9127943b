"""`token:<id>`: one token's stats, with the windows that were chosen (None: all)."""

from realtime import figures
from realtime.figures import Figures
from realtime.merge_patch import Json
from realtime.stream import State
from realtime.view import LiveView


class TokenStats:
    def __init__(self, view: LiveView, token_id: str, windows: tuple[str, ...] | None) -> None:
        self.topic = f"token:{token_id}"
        self.token_id = token_id
        self.windows = windows
        self._view = view

    def read(self) -> State:
        """Raises ViewNotReady."""
        token = self._view.opening(self.token_id)
        now = figures.figures(token, self._view.symbols.matches(token.symbol), self.windows)
        return State(token.epoch, token.seq, token.reorg_seq, now)

    def body(self, content: Figures) -> Json:
        return figures.body(content)

    def patch(self, old: Figures, new: Figures) -> Json:
        return figures.patch(old, new)
