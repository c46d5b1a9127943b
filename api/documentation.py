"""What the schema says about each address: parameters, answers, errors, examples."""

import re
from collections.abc import Callable, Sequence
from typing import Any

from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.utils import OpenApiExample, OpenApiParameter, OpenApiResponse, extend_schema

from api import errors
from api.pagination import MAX_CURSOR
from api.serializers import (
    WINDOW_FIELD_NAMES,
    BatchSerializer,
    CredentialsSerializer,
    OverviewSerializer,
    ProblemSerializer,
    RefreshSerializer,
    StatsSerializer,
    TicketSerializer,
    TokenPageSerializer,
    TokensSerializer,
)
from realtime.ranking import FIELDS
from settings.config import load_config

Decorator = Callable[[Any], Any]
_STATUS = {
    "bad_window": 400,
    "bad_parameter": 400,
    "malformed_body": 400,
    "not_authenticated": 401,
    "token_expired": 401,
    "bad_token": 401,
    "token_not_found": 404,
    "rate_limited": 429,
    "not_ready": 503,
    "archive_unavailable": 503,
}
EVERYWHERE = ("not_authenticated", "token_expired", "bad_token", "rate_limited")


def documented(
    operation: str,
    summary: str,
    serializer: type,
    codes: Sequence[str],
    parameters: Sequence[OpenApiParameter],
    example: Any = None,
) -> Decorator:
    """A GET address: its answer and the codes of its errors, besides those that any address has."""
    examples = [OpenApiExample("answer", example, response_only=True, status_codes=["200"])] if example else []
    return extend_schema(
        operation_id=operation,
        summary=summary,
        parameters=list(parameters),
        responses={200: serializer, **problems(codes)},
        examples=examples,
    )


def problems(codes: Sequence[str], everywhere: Sequence[str] = EVERYWHERE) -> dict[tuple[int, str], OpenApiResponse]:
    """An answer per status, with an example per code."""
    by_status: dict[int, list[str]] = {}
    for code in (*codes, *everywhere):
        by_status.setdefault(_STATUS[code], []).append(code)
    return {(status, errors.CONTENT_TYPE): _problem(status, found) for status, found in sorted(by_status.items())}


def _problem(status: int, codes: Sequence[str]) -> OpenApiResponse:
    examples = [
        OpenApiExample(code, errors.problem(status, code, "…", "5f0c7a91d2e84b36"), status_codes=[str(status)])
        for code in codes
    ]
    return OpenApiResponse(ProblemSerializer, ", ".join(codes), examples)


def _query(name: str, kind: Any, description: str, **options: Any) -> OpenApiParameter:
    return OpenApiParameter(name, kind, OpenApiParameter.QUERY, description=description, **options)


REFERENCE = OpenApiParameter(
    "reference",
    str,
    OpenApiParameter.PATH,
    description="A token's identity, `<chain_id>:<address>`, or a symbol: then the token with the highest volume.",
    examples=[
        OpenApiExample("symbol", "USDC"),
        OpenApiExample("identity", "1:0xa0b86991c6218b36c1d19d4a2e9eb0ce3606eb48"),
    ],
)


def _names(known: Sequence[str]) -> dict[str, str]:
    """Any of them, separated by commas."""
    one = "|".join(map(re.escape, known))
    return {"type": "string", "pattern": f"^({one})(,({one}))*$"}


_WINDOWS = tuple(load_config().app.windows)
WINDOWS = _query("windows", _names(_WINDOWS), "Names of windows, separated by commas; all if not given.")
WINDOW_CHOICE = _query("window", str, "The window to show and to sort by; the longest if not given.", enum=_WINDOWS)
WINDOW_FIELDS = _query(
    "fields", _names(WINDOW_FIELD_NAMES), "Fields of the windows, separated by commas; all if not given."
)
IDS = _query(
    "ids",
    {"type": "string", "pattern": "^[^,]+(,[^,]+){0,99}$"},
    "Identities or symbols, separated by commas.",
    required=True,
)
ORDER = _query("order", str, "", enum=["asc", "desc"])
CHAIN_ID = _query("chain_id", {"type": "integer", "minimum": 1, "maximum": 2**63 - 1}, "Only this chain's tokens.")
CURSOR = _query("cursor", {"type": "string", "maxLength": MAX_CURSOR}, "The `next_cursor` of the page before.")


def limit(most: int, default: int) -> OpenApiParameter:
    return _query("limit", {"type": "integer", "minimum": 1, "maximum": most, "default": default}, "")


def sort(default: str, *more: str) -> OpenApiParameter:
    return _query("sort", str, "", enum=[*more, *FIELDS], default=default)


STATS_EXAMPLE = {
    "token": {
        "id": "1:0xa0b86991c6218b36c1d19d4a2e9eb0ce3606eb48",
        "chain_id": 1,
        "address": "0xa0b86991c6218b36c1d19d4a2e9eb0ce3606eb48",
        "symbol": "USDC",
        "symbol_matches": 1,
    },
    "as_of": "2026-11-22T08:00:01.234Z",
    "last_event_at": "2026-11-22T08:00:00.900Z",
    "price_usd": "1.000213",
    "epoch": "9f3c1b7e5a2d4c68",
    "seq": 1234,
    "windows": {
        "5m": {
            "from": "2026-11-22T07:55:05Z",
            "to": "2026-11-22T08:00:01.234Z",
            "volume_usd": "12345.678900",
            "buy_volume_usd": "6000.000000",
            "sell_volume_usd": "6345.678900",
            "volume_token": "12345.678900000000000000",
            "trades": 123,
            "buys": 60,
            "sells": 63,
            "vwap_usd": "1.000000",
            "price_change_pct": "-0.42",
        }
    },
}

stats = documented(
    "token_stats",
    "One token's statistics",
    StatsSerializer,
    ["bad_window", "bad_parameter", "token_not_found", "not_ready"],
    [REFERENCE, WINDOWS, WINDOW_FIELDS],
    STATS_EXAMPLE,
)
batch = documented(
    "batch_stats",
    "Up to a hundred tokens' statistics; one that is wrong fails only itself",
    BatchSerializer,
    ["bad_window", "bad_parameter", "not_ready"],
    [IDS, WINDOWS, WINDOW_FIELDS],
)
overview = documented(
    "overview",
    "The leading tokens of each window",
    OverviewSerializer,
    ["bad_window", "bad_parameter", "not_ready"],
    [WINDOWS, sort("volume_usd"), ORDER, limit(100, 10), CHAIN_ID, WINDOW_FIELDS],
)
token_list = documented(
    "tokens",
    "All known tokens, in pages",
    TokenPageSerializer,
    ["bad_window", "bad_parameter", "not_ready"],
    [
        _query("search", {"type": "string", "maxLength": 128}, "Part of a symbol or an identity, in any case."),
        _query("symbol", {"type": "string", "maxLength": 64}, "The whole symbol, in any case."),
        CHAIN_ID,
        sort("id", "id"),
        ORDER,
        WINDOW_CHOICE,
        CURSOR,
        limit(500, 50),
    ],
)


def _issuing(operation: str, summary: str, request: Any, answer: Any, codes: Sequence[str]) -> Decorator:
    errors_too = problems(codes, everywhere=("rate_limited",))
    return extend_schema(
        operation_id=operation, summary=summary, request=request, responses={200: answer, **errors_too}
    )


token = _issuing(
    "token",
    "Tokens for a user",
    CredentialsSerializer,
    TokensSerializer,
    ["malformed_body", "bad_parameter", "not_authenticated"],
)
refresh = _issuing(
    "refresh",
    "New tokens for a refresh token",
    RefreshSerializer,
    TokensSerializer,
    ["malformed_body", "bad_parameter", "bad_token", "token_expired"],
)
ticket = _issuing(
    "ws_ticket",
    "A ticket for one WebSocket",
    None,
    TicketSerializer,
    ["not_authenticated", "token_expired", "bad_token", "not_ready"],
)


class BearerScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    """How `BearerAuthentication` appears in the schema."""

    target_class = "api.auth.BearerAuthentication"
    name = "bearer"

    def get_security_definition(self, auto_schema: AutoSchema) -> dict[str, str]:
        return {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}


class Schema(AutoSchema):
    """Names operations by their address; groups them by what they are about."""

    def get_tags(self) -> list[str]:
        return [self.path.removeprefix("/api/").split("/")[0]]
