"""The answers about a token's history: plain functions from the archive to what is sent."""

import base64
from binascii import Error as Base64Error
from collections.abc import Callable

import msgspec

from api.errors import bad_parameter
from api.history.bodies import Body, candle_body, day_body, trade_body, with_empty
from api.history.closed import ClosedCandles
from api.history.span import Span
from swapstats.ports.swap_archive import ArchiveReader, Candle, Token, Trade, TradeKey

SETTLED_MS = 300_000
"""Behind its end by this much a candle hardly changes any more: the grace is over, and most reorganisations are."""

_closed = ClosedCandles(seconds=30, most=512)
_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(TradeKey)


def candles_answer(reader: ArchiveReader, token: Token, span: Span, now_ms: int, *, late: bool, empty: bool) -> Body:
    """`empty` adds candles for intervals without swaps. Raises ArchiveError."""
    candles = _candles(reader, token, span, now_ms, late)
    shown = list(with_empty(candles, span)) if empty else candles
    return {"items": [candle_body(candle, span.interval.value, now_ms) for candle in shown]}


def daily_answer(reader: ArchiveReader, token: Token, span: Span, now_ms: int, *, late: bool) -> Body:
    """Raises ArchiveError."""
    candles = _candles(reader, token, span, now_ms, late)
    return {"items": [day_body(candle, span.interval.value, now_ms) for candle in candles]}


def trades_answer(reader: ArchiveReader, token: Token, cursor: str | None, limit: int) -> Body:
    """A page, newest first. Raises ArchiveError, and ApiError for a cursor that is none of ours."""
    trades = reader.trades(token, read_cursor(cursor) if cursor else None, limit + 1)
    page = trades[:limit]
    return {
        "items": [trade_body(trade) for trade in page],
        "next_cursor": write_cursor(page[-1]) if len(trades) > limit else None,
    }


def is_settled(span: Span, now_ms: int) -> bool:
    return span.to_ms <= now_ms - SETTLED_MS


def write_cursor(trade: Trade) -> str:
    return base64.urlsafe_b64encode(_encoder.encode(trade.key)).decode().rstrip("=")


def read_cursor(text: str) -> TradeKey:
    try:
        return _decoder.decode(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
    except (Base64Error, ValueError, msgspec.DecodeError) as error:
        raise bad_parameter("cursor", "the `next_cursor` of another page", text) from error


def _candles(reader: ArchiveReader, token: Token, span: Span, now_ms: int, late: bool) -> list[Candle]:
    read: Callable[[], list[Candle]] = lambda: reader.candles(token, *span, late)  # noqa: E731
    return _closed.get((token, span, late), read) if is_settled(span, now_ms) else read()
