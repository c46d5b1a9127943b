"""A token's figures as they are told: every member is written out once, and what reads as before is not told again.

So a patch is picked from the text of the newer figures, whoever it is for and however far behind he is.
"""

from collections.abc import Collection
from functools import lru_cache
from typing import Any, NamedTuple

import msgspec

from realtime.stats_body import rfc3339, stats_body, token_body
from realtime.token_view import TokenView
from swapstats.domain.amount import TOKEN_DIGITS, USD_DIGITS, format_amount
from swapstats.domain.stats import Edge, WindowPart, price_change_pct, price_usd
from swapstats.domain.window import Window

Json = dict[str, Any]


class Told(NamedTuple):
    """One window: its name, both its edges and each of its other members, as JSON."""

    name: str
    edges: str
    members: tuple[str, ...]


class Figures(NamedTuple):
    """`names` are the windows that are told (None: all); `price` and `complete_since` are members as JSON."""

    view: TokenView
    symbol_matches: int
    names: Collection[str] | None
    price: str
    complete_since: str
    windows: tuple[Told, ...]


class _Span(NamedTuple):
    """What a window of every token is called and covers at one time."""

    window: str
    from_ms: int
    name: str
    edges: str


def figures(view: TokenView, symbol_matches: int, names: Collection[str] | None) -> Figures:
    newest, begins_ms = view.part.newest, view.complete_since_ms
    told: list[Told] = []
    is_cut = False
    for span, sums in zip(_spans(view.windows, view.as_of_ms), view.part.windows, strict=True):
        if names is None or span.window in names:
            told.append(Told(span.name, span.edges, _members(sums, newest)))
            is_cut = is_cut or span.from_ms < begins_ms
    price = price_usd(newest.usd, newest.token) if newest else None
    since = rfc3339(begins_ms) if is_cut else None
    heads = f'"price_usd":{_text(price)}', f'"complete_since":{_text(since)}'
    return Figures(view, symbol_matches, names, *heads, tuple(told))


def body(now: Figures) -> Json:
    """All of it: the stats answer."""
    return stats_body(now.view, now.symbol_matches, now.names)


def patch(old: Figures, new: Figures) -> str:
    """What leads from the body of `old` to that of `new`, which has the same epoch and windows, as JSON: what
    `merge_patch.diff_stats` makes of the two bodies. Empty where no value changed."""
    change = _heads(old, new)
    windows = [
        f"{now.name}:{{{now.edges},{','.join(members)}}}"
        for before, now in zip(old.windows, new.windows, strict=True)
        if (members := [text for was, text in zip(before.members, now.members, strict=True) if text != was])
    ]
    if windows:
        change.append(f'"windows":{{{",".join(windows)}}}')
    if not change:
        return ""
    return f'{{{",".join(change)},"as_of":"{rfc3339(new.view.as_of_ms)}","seq":{new.view.seq}}}'


def _heads(old: Figures, new: Figures) -> list[str]:
    change: list[str] = []
    before, now = old.view, new.view
    if now.symbol != before.symbol or new.symbol_matches != old.symbol_matches:
        change.append(f'"token":{_json(token_body(now, new.symbol_matches))}')
    if (last_ms := now.part.last_event_ms) != before.part.last_event_ms:
        change.append(f'"last_event_at":{_text(rfc3339(last_ms) if last_ms else None)}')
    if new.price != old.price:
        change.append(new.price)
    if new.complete_since != old.complete_since:
        change.append(new.complete_since)
    return change


def _members(sums: WindowPart, newest: Edge | None) -> tuple[str, ...]:
    usd = sums.usd
    return (
        f'"volume_usd":"{format_amount(usd, USD_DIGITS)}"',
        f'"buy_volume_usd":"{format_amount(sums.buy_usd, USD_DIGITS)}"',
        f'"sell_volume_usd":"{format_amount(sums.sell_usd, USD_DIGITS)}"',
        f'"volume_token":"{format_amount(sums.token, TOKEN_DIGITS)}"',
        f'"trades":{sums.trades}',
        f'"buys":{sums.buys}',
        f'"sells":{sums.sells}',
        f'"vwap_usd":{_text(price_usd(usd, sums.token))}',
        f'"price_change_pct":{_text(price_change_pct(newest, sums.oldest))}',
    )


@lru_cache(maxsize=64)
def _spans(windows: tuple[Window, ...], now_ms: int) -> tuple[_Span, ...]:
    """Tokens that are told together are mostly evaluated at the same time."""
    return tuple(_span(window, now_ms) for window in windows)


def _span(window: Window, now_ms: int) -> _Span:
    from_ms = window.from_ms(now_ms)
    edges = f'"from":"{rfc3339(from_ms)}","to":"{rfc3339(now_ms)}"'
    return _Span(window.name, from_ms, _json(window.name), edges)


def _text(value: str | None) -> str:
    """Of numerals and times, in which nothing needs escaping."""
    return "null" if value is None else f'"{value}"'


def _json(value: Any) -> str:
    return msgspec.json.encode(value).decode()
