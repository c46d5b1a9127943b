"""Candles and trades as clients see them; money and amounts are exact decimal strings."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

from api.history.span import Span
from realtime.stats_body import rfc3339
from swapstats.domain.amount import TOKEN_DIGITS, USD_DIGITS, format_amount
from swapstats.domain.stats import price_usd
from swapstats.ports.swap_archive import Candle, Price, Trade

Body = dict[str, Any]


def candle_body(candle: Candle, width_ms: int, now_ms: int) -> Body:
    end_ms = candle.start_ms + width_ms
    return {
        "from": rfc3339(candle.start_ms),
        "to": rfc3339(end_ms),
        "open": _price(candle.open),
        "high": _price(candle.high),
        "low": _price(candle.low),
        "close": _price(candle.close),
        **sums_body(candle),
        "closed": end_ms <= now_ms,
    }


def day_body(candle: Candle, width_ms: int, now_ms: int) -> Body:
    date = datetime.fromtimestamp(candle.start_ms / 1000, UTC).date()
    return {"date": date.isoformat(), **candle_body(candle, width_ms, now_ms)}


def sums_body(candle: Candle) -> Body:
    usd = candle.buy_usd + candle.sell_usd
    return {
        "volume_usd": format_amount(usd, USD_DIGITS),
        "buy_volume_usd": format_amount(candle.buy_usd, USD_DIGITS),
        "sell_volume_usd": format_amount(candle.sell_usd, USD_DIGITS),
        "volume_token": format_amount(candle.token, TOKEN_DIGITS),
        "vwap_usd": price_usd(usd, candle.token),
        "trades": candle.swaps,
        "buys": candle.buys,
        "sells": candle.swaps - candle.buys,
        "unique_traders": candle.traders,
    }


def trade_body(trade: Trade) -> Body:
    swap = trade.swap
    return {
        "event_id": swap.event_id,
        "event_time": rfc3339(swap.event_time_ms),
        "side": swap.side.value,
        "amount_usd": format_amount(swap.amount_usd, USD_DIGITS),
        "amount_token": format_amount(swap.amount_token, TOKEN_DIGITS),
        "price_usd": price_usd(swap.amount_usd, swap.amount_token),
        "tx_hash": swap.tx_hash,
        "log_index": swap.log_index,
        "block_number": swap.block_number,
        "block_hash": swap.block_hash,
        "pool_address": swap.pool_address,
        "trader": swap.trader,
        "late": trade.late,
        "retracted": trade.retracted,
    }


def with_empty(candles: Sequence[Candle], span: Span) -> Iterator[Candle]:
    """A candle for every interval: where nothing was traded, the price stands still at the last one known here."""
    found = {candle.start_ms: candle for candle in candles}
    price: Price | None = None
    for start_ms in span.starts:
        candle = found.get(start_ms) or Candle(start_ms, 0, 0, 0, 0, 0, price, price, price, price, 0)
        price = candle.close or price
        yield candle


def _price(price: Price | None) -> str | None:
    return price_usd(price.usd, price.token) if price else None
