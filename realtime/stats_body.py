"""The stats answer of CONTRACT §3, as HTTP gives it and as a WebSocket snapshot carries it."""

from collections.abc import Collection, Iterator
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from realtime.token_view import TokenView
from swapstats.domain.amount import TOKEN_DIGITS, USD_DIGITS, format_amount
from swapstats.domain.stats import WindowPart, price_change_pct, price_usd
from swapstats.domain.window import Window

Body = dict[str, Any]


def stats_body(view: TokenView, symbol_matches: int, names: Collection[str] | None = None) -> Body:
    """The whole answer for one token, with the windows of `names` (None: all), in their configured order."""
    part = view.part
    body: Body = {
        "token": token_body(view, symbol_matches),
        "as_of": rfc3339(view.as_of_ms),
        "last_event_at": rfc3339(part.last_event_ms) if part.last_event_ms else None,
        "price_usd": price_usd(part.newest.usd, part.newest.token) if part.newest else None,
        "epoch": view.epoch,
        "seq": view.seq,
        "windows": {window.name: window_body(view, window, sums) for window, sums in chosen(view, names)},
    }
    if reaches_back(view, names):
        body["complete_since"] = rfc3339(view.complete_since_ms)
    return body


def token_body(view: TokenView, symbol_matches: int) -> Body:
    chain, _, address = view.token_id.partition(":")
    return {
        "id": view.token_id,
        "chain_id": int(chain),
        "address": address,
        "symbol": view.symbol,
        "symbol_matches": symbol_matches,
    }


def window_body(view: TokenView, window: Window, sums: WindowPart) -> Body:
    """One window's fields."""
    usd = sums.usd
    return {
        "from": rfc3339(window.from_ms(view.as_of_ms)),
        "to": rfc3339(view.as_of_ms),
        "volume_usd": format_amount(usd, USD_DIGITS),
        "buy_volume_usd": format_amount(sums.buy_usd, USD_DIGITS),
        "sell_volume_usd": format_amount(sums.sell_usd, USD_DIGITS),
        "volume_token": format_amount(sums.token, TOKEN_DIGITS),
        "trades": sums.trades,
        "buys": sums.buys,
        "sells": sums.sells,
        "vwap_usd": price_usd(usd, sums.token),
        "price_change_pct": price_change_pct(view.part.newest, sums.oldest),
    }


def chosen(view: TokenView, names: Collection[str] | None) -> Iterator[tuple[Window, WindowPart]]:
    """The windows of `names` with their sums."""
    for window, sums in zip(view.windows, view.part.windows, strict=True):
        if names is None or window.name in names:
            yield window, sums


def reaches_back(view: TokenView, names: Collection[str] | None) -> bool:
    """Whether one of the windows begins before swaps were counted completely."""
    return any(window.from_ms(view.as_of_ms) < view.complete_since_ms for window, _ in chosen(view, names))


@lru_cache(maxsize=8192)
def rfc3339(time_ms: int) -> str:
    """UTC, with milliseconds where there are any: 2026-11-22T08:00:01.234Z, 2026-11-22T07:55:05Z."""
    seconds, milliseconds = divmod(time_ms, 1000)
    text = datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S")
    return f"{text}.{milliseconds:03d}Z" if milliseconds else f"{text}Z"
