"""A token's figures as they are told: the numbers of its view and, written out once, the ratios derived from them.

Comparing two of these finds what to tell without writing out anything that did not change.
"""

from collections.abc import Collection
from typing import Any, NamedTuple

from realtime.stats_body import rfc3339, stats_body, token_body
from realtime.token_view import TokenView
from swapstats.domain.amount import TOKEN_DIGITS, USD_DIGITS, format_amount
from swapstats.domain.stats import WindowPart, price_change_pct, price_usd
from swapstats.domain.window import Window

Json = dict[str, Any]


class Told(NamedTuple):
    """One window: where it begins, its sums, and what is derived from them."""

    window: Window
    from_ms: int
    sums: WindowPart
    vwap_usd: str | None
    price_change_pct: str | None


class Figures(NamedTuple):
    """`names` are the windows that are told (None: all)."""

    view: TokenView
    symbol_matches: int
    names: Collection[str] | None
    price_usd: str | None
    complete_since: str | None
    windows: tuple[Told, ...]


def figures(view: TokenView, symbol_matches: int, names: Collection[str] | None) -> Figures:
    newest, now_ms = view.part.newest, view.as_of_ms
    price = price_usd(newest.usd, newest.token) if newest else None
    windows = tuple(
        Told(
            window,
            window.from_ms(now_ms),
            sums,
            price_usd(sums.usd, sums.token),
            price_change_pct(newest, sums.oldest),
        )
        for window, sums in zip(view.windows, view.part.windows, strict=True)
        if names is None or window.name in names
    )
    is_cut = any(told.from_ms < view.complete_since_ms for told in windows)
    since = rfc3339(view.complete_since_ms) if is_cut else None
    return Figures(view, symbol_matches, names, price, since, windows)


def body(now: Figures) -> Json:
    """All of it: the stats answer."""
    return stats_body(now.view, now.symbol_matches, now.names)


def patch(old: Figures, new: Figures) -> Json:
    """What leads from the body of `old` to that of `new`, which has the same epoch and windows: what
    `merge_patch.diff_stats` makes of the two bodies. Empty where no value changed."""
    change = _heads(old, new)
    windows = {
        now.window.name: fields
        for before, now in zip(old.windows, new.windows, strict=True)
        if before[2:] != now[2:] and (fields := _window(before, now, new.view.as_of_ms))
    }
    if windows:
        change["windows"] = windows
    if change:
        change["as_of"] = rfc3339(new.view.as_of_ms)
        change["seq"] = new.view.seq
    return change


def _heads(old: Figures, new: Figures) -> Json:
    change: Json = {}
    before, now = old.view, new.view
    if now.symbol != before.symbol or new.symbol_matches != old.symbol_matches:
        change["token"] = token_body(now, new.symbol_matches)
    if now.part.last_event_ms != before.part.last_event_ms:
        change["last_event_at"] = rfc3339(now.part.last_event_ms) if now.part.last_event_ms else None
    if new.price_usd != old.price_usd:
        change["price_usd"] = new.price_usd
    if new.complete_since != old.complete_since:
        change["complete_since"] = new.complete_since
    return change


def _window(old: Told, new: Told, as_of_ms: int) -> Json:
    """The fields that differ, and then with both edges of the window."""
    change: Json = {}
    before, now = old.sums, new.sums
    if now.usd != before.usd:
        change["volume_usd"] = format_amount(now.usd, USD_DIGITS)
    if now.buy_usd != before.buy_usd:
        change["buy_volume_usd"] = format_amount(now.buy_usd, USD_DIGITS)
    if now.sell_usd != before.sell_usd:
        change["sell_volume_usd"] = format_amount(now.sell_usd, USD_DIGITS)
    if now.token != before.token:
        change["volume_token"] = format_amount(now.token, TOKEN_DIGITS)
    if now.trades != before.trades:
        change["trades"] = now.trades
    if now.buys != before.buys:
        change["buys"] = now.buys
    if now.sells != before.sells:
        change["sells"] = now.sells
    if new.vwap_usd != old.vwap_usd:
        change["vwap_usd"] = new.vwap_usd
    if new.price_change_pct != old.price_change_pct:
        change["price_change_pct"] = new.price_change_pct
    if change:
        change["from"] = rfc3339(new.from_ms)
        change["to"] = rfc3339(as_of_ms)
    return change
