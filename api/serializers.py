"""The shapes of answers, for the schema. Answers are built by hand, for speed; a test holds them against the schema."""

from typing import Any

from rest_framework import serializers

from api.errors import TITLES

Field = serializers.Field[Any, Any, Any, Any]
Serializer = serializers.Serializer[Any]


def _decimal(meaning: str, **options: Any) -> Field:
    """Exact, hence a string."""
    return serializers.RegexField(r"^-?[0-9]+(\.[0-9]+)?$", help_text=f"{meaning}; exact", **options)


def _text() -> Field:
    """Something to be seen, without NUL."""
    return serializers.RegexField(r"^[^\x00]*[^\s\x00][^\x00]*$")


class TokenSerializer(Serializer):
    id = serializers.CharField(help_text="`<chain_id>:<address>`")
    chain_id = serializers.IntegerField(min_value=1, max_value=2**63 - 1)
    address = serializers.CharField()
    symbol = serializers.CharField(allow_null=True)
    symbol_matches = serializers.IntegerField(min_value=0, help_text="How many known tokens carry this symbol.")


def _window_fields(**options: Any) -> dict[str, Field]:
    """`from` is a keyword of Python, so it cannot be an attribute in a class's body."""
    return {
        "from": serializers.DateTimeField(help_text="Where the window begins.", **options),
        "to": serializers.DateTimeField(help_text="Where it ends: `as_of`.", **options),
        "volume_usd": _decimal("All trades", **options),
        "buy_volume_usd": _decimal("Buys", **options),
        "sell_volume_usd": _decimal("Sells", **options),
        "volume_token": _decimal("All trades, in tokens", **options),
        "trades": serializers.IntegerField(min_value=0, **options),
        "buys": serializers.IntegerField(min_value=0, **options),
        "sells": serializers.IntegerField(min_value=0, **options),
        "vwap_usd": _decimal("volume_usd / volume_token", allow_null=True, **options),
        "price_change_pct": _decimal(
            "Newest bucket with trades against the window's oldest, in percent", allow_null=True, **options
        ),
    }


WINDOW_FIELD_NAMES = tuple(_window_fields())


def _serializer(name: str, *bases: type[Serializer], **fields: Field) -> type[Serializer]:
    return type(name, bases or (Serializer,), fields)


# Not required, because `fields` may leave them out.
WindowSerializer = _serializer("WindowSerializer", **_window_fields(required=False))
OverviewRowSerializer = _serializer("OverviewRowSerializer", token=TokenSerializer(), **_window_fields(required=False))
TokenRowSerializer = _serializer(
    "TokenRowSerializer",
    token=TokenSerializer(),
    last_event_at=serializers.DateTimeField(),
    price_usd=_decimal("VWAP of the newest bucket that has trades", allow_null=True),
    **_window_fields(),
)


class StatsSerializer(Serializer):
    token = TokenSerializer()
    as_of = serializers.DateTimeField(help_text="Until when the statistics are known.")
    last_event_at = serializers.DateTimeField(allow_null=True)
    price_usd = _decimal("VWAP of the newest bucket that has trades", allow_null=True)
    epoch = serializers.CharField(help_text="Another epoch says that continuity is lost.")
    seq = serializers.IntegerField(min_value=0, help_text="Grows with every change within an epoch.")
    windows = serializers.DictField(child=WindowSerializer(), help_text="By name.")
    complete_since = serializers.DateTimeField(
        required=False, help_text="Present where a window begins before swaps were counted completely."
    )


class ItemErrorSerializer(Serializer):
    id = serializers.CharField()
    code = serializers.ChoiceField(["token_not_found", "not_ready"])
    detail = serializers.CharField()


class BatchSerializer(Serializer):
    items = StatsSerializer(many=True)
    errors = ItemErrorSerializer(many=True)  # type: ignore[assignment]


class OverviewSerializer(Serializer):
    as_of = serializers.DateTimeField()
    windows = serializers.DictField(child=serializers.ListField(child=OverviewRowSerializer()), help_text="By name.")


class TokenPageSerializer(Serializer):
    as_of = serializers.DateTimeField()
    window = serializers.CharField(help_text="The window that the items show.")
    total = serializers.IntegerField(min_value=0)
    items = TokenRowSerializer(many=True)
    next_cursor = serializers.CharField(allow_null=True, help_text="For the next page; null on the last one.")


class CredentialsSerializer(Serializer):
    username = _text()
    password = _text()


class RefreshSerializer(Serializer):
    refresh = _text()


class TokensSerializer(Serializer):
    access = serializers.CharField(help_text="For `Authorization: Bearer`.")
    refresh = serializers.CharField(help_text="For new tokens, once.")


class TicketSerializer(Serializer):
    ticket = serializers.CharField(help_text="For `/ws?ticket=`, once.")
    expires_in = serializers.IntegerField(help_text="In seconds.")


class ProblemSerializer(Serializer):
    """RFC 9457."""

    type = serializers.RegexField(r"^urn:swapstats:problem:[a-z_]+$")
    title = serializers.CharField()
    status = serializers.IntegerField(min_value=400, max_value=599)
    detail = serializers.CharField()
    code = serializers.ChoiceField(sorted(TITLES))
    request_id = serializers.CharField()
