"""What windows hold, how the partitions' parts add up, and what is derived from the sums.

A *part* is one partition's share of one token's windows. Parts are absolute values evaluated at a time; a token's
stats are the sum of its parts. Prices are derived from sums, so that a retraction corrects them too.
"""

from collections.abc import Sequence
from typing import NamedTuple

from swapstats.domain.amount import TOKEN_DIGITS, USD_DIGITS, format_ratio

PRICE_DECIMALS = USD_DIGITS
PRICE_SIGNIFICANT = 6
"""Prices show six decimals, or as many more as a small price needs for six significant digits."""


class Edge(NamedTuple):
    """A bucket at the edge of a window: where it starts, how wide it is, and the sums that give its VWAP."""

    start_ms: int
    width_ms: int
    usd: int
    token: int


class WindowPart(NamedTuple):
    """Sums of one window; `oldest` is its oldest bucket that has trades."""

    buy_usd: int
    sell_usd: int
    token: int
    buys: int
    sells: int
    oldest: Edge | None

    @property
    def usd(self) -> int:
        return self.buy_usd + self.sell_usd

    @property
    def trades(self) -> int:
        return self.buys + self.sells


EMPTY_WINDOW = WindowPart(0, 0, 0, 0, 0, None)


class Part(NamedTuple):
    """One partition's share of a token. `windows` are in the order of the configuration; `newest` is the newest
    bucket that has trades, of the finest width that still holds one; `last_event_ms` the newest event time seen in
    it; `symbol` what the newest swaps that name one call the token."""

    symbol: str | None
    last_event_ms: int
    newest: Edge | None
    windows: tuple[WindowPart, ...]


def merge_parts(parts: Sequence[Part]) -> Part:
    """The sum of parts that were evaluated within the same bucket; at least one part."""
    if len(parts) == 1:
        return parts[0]
    latest = max(parts, key=lambda part: part.last_event_ms)
    symbol = latest.symbol or next((part.symbol for part in parts if part.symbol), None)
    windows = tuple(_merge_windows(column) for column in zip(*(part.windows for part in parts), strict=True))
    return Part(symbol, latest.last_event_ms, _merge_newest([part.newest for part in parts]), windows)


def _merge_windows(column: Sequence[WindowPart]) -> WindowPart:
    edges = [window.oldest for window in column if window.oldest]
    return WindowPart(
        sum(window.buy_usd for window in column),
        sum(window.sell_usd for window in column),
        sum(window.token for window in column),
        sum(window.buys for window in column),
        sum(window.sells for window in column),
        _join(edges, min(edge.start_ms for edge in edges)) if edges else None,
    )


def _merge_newest(candidates: Sequence[Edge | None]) -> Edge | None:
    edges = [edge for edge in candidates if edge]
    if not edges:
        return None
    finest = min(edge.width_ms for edge in edges)
    edges = [edge for edge in edges if edge.width_ms == finest]
    return _join(edges, max(edge.start_ms for edge in edges))


def _join(edges: Sequence[Edge], start_ms: int) -> Edge:
    same = [edge for edge in edges if edge.start_ms == start_ms]
    return Edge(start_ms, same[0].width_ms, sum(edge.usd for edge in same), sum(edge.token for edge in same))


def price_usd(usd: int, token: int) -> str | None:
    """The volume-weighted average price, usd / token, of fixed-point sums; None where no tokens moved."""
    if not token:
        return None
    return format_ratio(usd * 10 ** (TOKEN_DIGITS - USD_DIGITS), token, PRICE_DECIMALS, PRICE_SIGNIFICANT)


def price_change_pct(newest: Edge | None, oldest: Edge | None) -> str | None:
    """By how many percent the newest bucket's VWAP differs from the oldest's, with two decimals; None where either
    has no price."""
    if not newest or not oldest or not newest.token or not oldest.token or not oldest.usd:
        return None
    before, after = oldest.usd * newest.token, newest.usd * oldest.token
    return format_ratio((after - before) * 100, before, 2)
