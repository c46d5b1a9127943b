"""The addresses of a token's history."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

from rest_framework.request import Request
from rest_framework.response import Response

from api.errors import ApiError, token_not_found
from api.history import answers, documentation
from api.history.bodies import Body
from api.history.span import INTERVALS, Span, flag_in, span_in
from api.pagination import MAX_CURSOR
from api.parameters import choice_in, limit_in, text_in
from api.tokens import find
from api.views.base import ApiView
from realtime.stats_body import rfc3339, token_body
from swapstats.bootstrap import archive_history, live_view
from swapstats.domain.errors import ArchiveError
from swapstats.domain.swap import parse_token_id
from swapstats.ports.swap_archive import ArchiveReader, Interval, Token

MAX_CANDLES = 1000
MAX_TRADES = 1000
DEFAULT_DAYS = 30
NO_CACHE = "private, no-cache"
SETTLED = "private, max-age=30"


class CandlesView(ApiView):
    """Prices and volumes per interval, from the archive."""

    @documentation.candles
    def get(self, request: Request, reference: str) -> Response:
        query, now_ms = request.query_params, _now_ms()
        interval = choice_in(query, "interval", INTERVALS, "1m")
        span = span_in(query, INTERVALS[interval], limit_in(query, 100, MAX_CANDLES), now_ms)
        late, empty = flag_in(query, "include_late", True), flag_in(query, "include_empty", False)
        subject = _subject(reference)
        with _archive() as archive:
            answer = answers.candles_answer(archive, subject.token, span, now_ms, late=late, empty=empty)
            _require_known(archive, subject, reference, answer)
        return _respond(subject, {"interval": interval, **_ends(span)}, answer, span, now_ms)


class DailyView(ApiView):
    """One row per day (UTC), from the archive."""

    @documentation.daily
    def get(self, request: Request, reference: str) -> Response:
        query, now_ms = request.query_params, _now_ms()
        days = MAX_CANDLES if "from" in query else DEFAULT_DAYS
        span = span_in(query, Interval.DAY, limit_in(query, days, MAX_CANDLES), now_ms)
        subject = _subject(reference)
        with _archive() as archive:
            late = flag_in(query, "include_late", True)
            answer = answers.daily_answer(archive, subject.token, span, now_ms, late=late)
            _require_known(archive, subject, reference, answer)
        return _respond(subject, _ends(span), answer, span, now_ms)


class TradesView(ApiView):
    """Single swaps, newest first, from the archive; retracted ones are marked."""

    @documentation.trades
    def get(self, request: Request, reference: str) -> Response:
        query = request.query_params
        limit, cursor = limit_in(query, 100, MAX_TRADES), text_in(query, "cursor", MAX_CURSOR)
        subject = _subject(reference)
        with _archive() as archive:
            answer = answers.trades_answer(archive, subject.token, cursor, limit)
            _require_known(archive, subject, reference, answer)
        return Response({"token": subject.body, **answer}, headers={"Cache-Control": NO_CACHE})


class _Subject(NamedTuple):
    """The token that is asked about, and how it is shown."""

    token: Token
    body: Body
    is_live: bool


def _subject(reference: str) -> _Subject:
    """An identity needs no live view: the archive may know a token that nothing else knows any more."""
    view, identity = live_view(), parse_token_id(reference)
    live = view.token(identity) if identity else find(view, reference)
    if live is not None:
        body = token_body(live, view.symbols.matches(live.symbol))
    else:
        chain_id, _, address = (identity or "").partition(":")
        body = {"id": identity, "chain_id": int(chain_id), "address": address, "symbol": None, "symbol_matches": 0}
    return _Subject(Token(body["chain_id"], body["address"]), body, live is not None)


def _require_known(archive: ArchiveReader, subject: _Subject, reference: str, answer: Body) -> None:
    if not answer["items"] and not subject.is_live and not archive.knows(subject.token):
        raise token_not_found(reference)


@contextmanager
def _archive() -> Iterator[ArchiveReader]:
    try:
        yield archive_history()
    except ArchiveError as error:
        detail = "The archive does not answer; what is live is not affected."
        raise ApiError(503, "archive_unavailable", detail, {"Retry-After": "5"}) from error


def _respond(subject: _Subject, head: dict[str, Any], answer: Body, span: Span, now_ms: int) -> Response:
    caching = SETTLED if answers.is_settled(span, now_ms) else NO_CACHE
    return Response({"token": subject.body, **head, **answer}, headers={"Cache-Control": caching})


def _ends(span: Span) -> dict[str, str]:
    return {"from": rfc3339(span.from_ms), "to": rfc3339(span.to_ms)}


def _now_ms() -> int:
    return int(time.time() * 1000)
