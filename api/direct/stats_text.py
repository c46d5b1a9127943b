"""Stats answers as bytes. Most tokens did not change since they were last asked for, but time passes for all of them:
so an answer is kept with holes where its times belong, and written out again only when its numbers change.
"""

import sys
from functools import lru_cache
from typing import Any, NamedTuple

from msgspec import Raw

from api.rendering import encode
from api.views.stats import Known, StatsAnswer
from realtime.stats_body import rfc3339
from realtime.token_view import TokenView
from swapstats.domain.window import Window

MAX_KEPT = 16_384
"""At about two kilobytes each."""
_HOLE = b"\0"
"""JSON escapes this byte, so that it is found nowhere else in a text."""


class Layout(NamedTuple):
    """The windows whose times are missing in a text, and which of their edges."""

    windows: tuple[Window, ...]
    has_from: bool
    has_to: bool


class Times(NamedTuple):
    """What fills the holes, in their order; and where the first of the windows begins."""

    texts: list[bytes]
    first_ms: int


class StatsText(NamedTuple):
    """One token's answer, the same for every view with the same numbers. Every second one of `pieces` is a hole."""

    known: Known
    tag: str
    layout: Layout
    is_cut: bool
    pieces: list[bytes]

    def at(self, known: Known) -> bytes | None:
        """The answer for that view; None where it has other numbers."""
        if not self._is_of(known):
            return None
        times = _times(self.layout, known.token.as_of_ms)
        if (times.first_ms < known.token.complete_since_ms) != self.is_cut:
            return None
        return self.filled(known)

    def filled(self, known: Known) -> bytes:
        pieces = self.pieces.copy()
        pieces[1::2] = _times(self.layout, known.token.as_of_ms).texts
        return b"".join(pieces)

    def _is_of(self, known: Known) -> bool:
        return known.matches == self.known.matches and _has_numbers_of(known.token, self.known.token)


class StatsTexts:
    """Of what was asked for lately. For any thread."""

    def __init__(self) -> None:
        self._kept: dict[tuple[str, StatsAnswer], StatsText] = {}

    def fill(self, known: Known, answer: StatsAnswer) -> tuple[str, bytes]:
        """The entity tag and the content."""
        key = (known.token.token_id, answer)
        text = self._kept.get(key)
        content = text.at(known) if text else None
        if text is None or content is None:
            text = write(known, answer)
            content = text.filled(known)
            self._keep(key, text)
        return text.tag, content

    def _keep(self, key: tuple[str, StatsAnswer], text: StatsText) -> None:
        if len(self._kept) >= MAX_KEPT and key not in self._kept:
            self._kept.clear()
        self._kept[key] = text


def write(known: Known, answer: StatsAnswer) -> StatsText:
    body = answer.body(known)
    windows: dict[str, dict[str, Any]] = body["windows"]
    shown = tuple(window for window in known.token.windows if window.name in windows)
    edges = [edge for edge in ("from", "to") if shown and edge in windows[shown[0].name]]
    body["as_of"] = hole = Raw(_HOLE)
    for fields in windows.values():
        fields.update((edge, hole) for edge in edges)
    pieces = encode(body).replace(_HOLE, _HOLE + _HOLE).split(_HOLE)
    layout = Layout(shown, "from" in edges, "to" in edges)
    return StatsText(known, known.tag, layout, "complete_since" in body, pieces)


def _has_numbers_of(new: TokenView, old: TokenView) -> bool:
    return (
        new.part is old.part
        and new.seq == old.seq
        and new.epoch == old.epoch
        and new.windows is old.windows
        and new.complete_since_ms == old.complete_since_ms
    )


@lru_cache(maxsize=1_024)
def _times(layout: Layout, as_of_ms: int) -> Times:
    to, begins = encode(rfc3339(as_of_ms)), [window.from_ms(as_of_ms) for window in layout.windows]
    texts = [to]
    for begin in begins:
        texts += [encode(rfc3339(begin))] * layout.has_from + [to] * layout.has_to
    return Times(texts, min(begins, default=sys.maxsize))
