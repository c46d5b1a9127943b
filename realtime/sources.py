"""What topics show: where their states are read and how two of them differ."""

from realtime.merge_patch import Json, diff_stats
from realtime.stats_body import stats_body
from realtime.stream import State
from realtime.view import LiveView


class TokenStats:
    """`token:<id>`: the stats answer of one token, with the windows chosen (None: all)."""

    def __init__(self, view: LiveView, token_id: str, windows: tuple[str, ...] | None) -> None:
        self.topic = f"token:{token_id}"
        self.token_id = token_id
        self.windows = windows
        self._view = view

    def read(self) -> State:
        """Raises ViewNotReady."""
        token = self._view.opening(self.token_id)
        body = stats_body(token, self._view.symbols.matches(token.symbol), self.windows)
        return State(token.epoch, token.seq, token.reorg_seq, body)

    def diff(self, old: Json, new: Json) -> Json:
        return diff_stats(old, new)
