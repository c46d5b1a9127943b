"""How old a swap is when clients are told of it."""

from collections.abc import Collection

from realtime import metrics
from realtime.view import LiveView
from swapstats.domain.errors import ViewNotReady


class FrameLatency:
    """Looks at tokens that are about to be told, and counts each swap that is news once."""

    def __init__(self, view: LiveView) -> None:
        self._view = view
        self._newest_ms: dict[str, int] = {}

    def note(self, token_ids: Collection[str], now_ms: int) -> None:
        """These followed tokens have changed. Time that passes and corrections change them too, and do not count."""
        for token_id in token_ids:
            try:
                token = self._view.token(token_id)
            except ViewNotReady:
                continue
            if token:
                self._observe(token_id, token.part.last_event_ms, now_ms)

    def _observe(self, token_id: str, event_ms: int, now_ms: int) -> None:
        before_ms = self._newest_ms.get(token_id)
        if before_ms is not None and event_ms > before_ms:
            metrics.EVENT_TO_FRAME.observe(max(0, now_ms - event_ms))
        self._newest_ms[token_id] = event_ms

    def forget_all_but(self, token_ids: Collection[str]) -> None:
        """Nobody follows the others any more."""
        for token_id in self._newest_ms.keys() - set(token_ids):
            del self._newest_ms[token_id]
