"""What the schema says about history."""

from collections.abc import Mapping
from typing import Any

from drf_spectacular.utils import OpenApiParameter
from rest_framework import serializers

from api.documentation import CURSOR, REFERENCE, documented, limit
from api.history.span import INTERVALS, MOMENT
from api.serializers import TokenSerializer

Field = serializers.Field[Any, Any, Any, Any]
Fields = Mapping[str, Field]


def _serializer(name: str, fields: Fields) -> type[serializers.Serializer[Any]]:
    """By name, because `from` is a keyword of Python."""
    return type(name, (serializers.Serializer,), dict(fields))


def _decimal(meaning: str, **options: Any) -> Field:
    return serializers.RegexField(r"^[0-9]+(\.[0-9]+)?$", help_text=f"{meaning}; exact", **options)


def _price(meaning: str) -> Field:
    return _decimal(f"{meaning}, USD; null where no swap has a price", allow_null=True)


def _count(meaning: str) -> Field:
    return serializers.IntegerField(min_value=0, help_text=meaning)


_CANDLE: Fields = {
    "from": serializers.DateTimeField(),
    "to": serializers.DateTimeField(help_text="The end, not included."),
    "open": _price("First swap"),
    "high": _price("Highest"),
    "low": _price("Lowest"),
    "close": _price("Last swap"),
    "volume_usd": _decimal("All trades"),
    "buy_volume_usd": _decimal("Buys"),
    "sell_volume_usd": _decimal("Sells"),
    "volume_token": _decimal("All trades, in tokens"),
    "vwap_usd": _price("volume_usd / volume_token"),
    "trades": _count("Swaps that count: each once, without retracted ones."),
    "buys": _count(""),
    "sells": _count(""),
    "unique_traders": _count("Estimated above some ten thousand."),
    "closed": serializers.BooleanField(help_text="Its time is over; late swaps and retractions may still change it."),
}
_TRADE: Fields = {
    "event_id": serializers.CharField(),
    "event_time": serializers.DateTimeField(),
    "side": serializers.ChoiceField(["buy", "sell"]),
    "amount_usd": _decimal("USD"),
    "amount_token": _decimal("Tokens"),
    "price_usd": _price("amount_usd / amount_token"),
    "tx_hash": serializers.CharField(),
    "log_index": _count(""),
    "block_number": serializers.IntegerField(allow_null=True),
    "block_hash": serializers.CharField(allow_null=True),
    "pool_address": serializers.CharField(allow_null=True),
    "trader": serializers.CharField(allow_null=True),
    "late": serializers.BooleanField(help_text="Reached the log too late for the live windows."),
    "retracted": serializers.BooleanField(help_text="A reorganisation took it out of the chain; it counts nowhere."),
}
_SPAN: Fields = {"from": serializers.DateTimeField(), "to": serializers.DateTimeField()}
_CandleSerializer = _serializer("CandleSerializer", _CANDLE)
_DaySerializer = _serializer("DaySerializer", {"date": serializers.DateField(), **_CANDLE})
_TradeSerializer = _serializer("TradeSerializer", _TRADE)

_FROM = OpenApiParameter("from", str, description=f"Where to begin: {MOMENT}.")
_TO = OpenApiParameter("to", str, description="Where to end, in the same notation; now if not given.")
_LATE = OpenApiParameter(
    "include_late", bool, description="Count late swaps too; without them sums equal the live ones."
)
_CODES = ["bad_parameter", "token_not_found", "not_ready", "archive_unavailable"]

candles = documented(
    "candles",
    "Candles of one token",
    _serializer(
        "CandlesSerializer",
        {
            "token": TokenSerializer(),
            "interval": serializers.ChoiceField(list(INTERVALS)),
            **_SPAN,
            "items": _CandleSerializer(many=True),
        },
    ),
    _CODES,
    [
        REFERENCE,
        OpenApiParameter("interval", str, enum=list(INTERVALS), default="1m", description="A candle's width."),
        _FROM,
        _TO,
        limit(1000, 100),
        _LATE,
        OpenApiParameter("include_empty", bool, description="Candles without swaps too; their price stands still."),
    ],
)
daily = documented(
    "daily",
    "Days (UTC) of one token",
    _serializer("DailySerializer", {"token": TokenSerializer(), **_SPAN, "items": _DaySerializer(many=True)}),
    _CODES,
    [REFERENCE, _FROM, _TO, limit(1000, 30), _LATE],
)
trades = documented(
    "trades",
    "Single swaps of one token, newest first",
    _serializer(
        "TradesSerializer",
        {
            "token": TokenSerializer(),
            "items": _TradeSerializer(many=True),
            "next_cursor": serializers.CharField(allow_null=True, help_text="For the next page; null on the last one."),
        },
    ),
    _CODES,
    [REFERENCE, CURSOR, limit(1000, 100)],
)
