"""All known tokens: searched, filtered, sorted, in pages."""

import sys
from hashlib import blake2b
from typing import Any, NamedTuple

from django.http import QueryDict
from rest_framework.request import Request
from rest_framework.response import Response

from api import documentation
from api.pagination import Cursor, FrozenOrders, Page, page_of_ids, read_cursor
from api.parameters import chain_id_in, choice_in, limit_in, text_in, window_in
from api.recent import Recent
from api.views.base import ApiView
from realtime.ranking import FIELDS, Order, field_of
from realtime.stats_body import chosen, rfc3339, token_body, window_body
from realtime.token_view import TokenView
from realtime.view import LiveView
from swapstats.bootstrap import live_view, order_store, token_ranking
from swapstats.domain.stats import price_usd
from swapstats.ports.order_store import Place

MAX_LIMIT = 500
DEFAULT_LIMIT = 50
BY_ID = "id"

_frozen = FrozenOrders(order_store)
_matching: Recent[list[str]] = Recent(seconds=1, most=256)
"""A search in ten thousand tokens takes some milliseconds."""


class _Question(NamedTuple):
    window: str
    sort: str
    is_descending: bool
    chain_id: int | None
    symbol: str | None
    search: str | None

    @property
    def key(self) -> str:
        return blake2b(repr(tuple(self)).encode(), digest_size=6).hexdigest()


class TokenListView(ApiView):
    """The tokens that have swaps in any window."""

    @documentation.token_list
    def get(self, request: Request) -> Response:
        view, query = live_view(), request.query_params
        question = _question(query, view)
        text = query.get("cursor")
        cursor = read_cursor(text, question.key) if text else None
        page = _page(question, cursor, limit_in(query, DEFAULT_LIMIT, MAX_LIMIT))
        tokens = [token for token_id in page.ids if (token := view.token(token_id))]
        body = {
            "as_of": rfc3339(view.as_of_ms()),
            "window": question.window,
            "total": page.total,
            "items": [_row(view, token, question.window) for token in tokens],
            "next_cursor": page.next_cursor,
        }
        return Response(body, headers={"Cache-Control": "private, no-cache"})


def _question(query: QueryDict, view: LiveView) -> _Question:
    windows = view.windows
    longest = max(windows, key=lambda window: window.length_ms).name
    sort = choice_in(query, "sort", (BY_ID, *FIELDS), BY_ID)
    return _Question(
        window_in(query, windows, longest),
        sort,
        choice_in(query, "order", ("asc", "desc"), "asc" if sort == BY_ID else "desc") == "desc",
        chain_id_in(query),
        text_in(query, "symbol", 64),
        text_in(query, "search", 128),
    )


def _page(question: _Question, cursor: Cursor | None, limit: int) -> Page:
    if question.sort == BY_ID:
        ids = _matching.get(question, lambda: sorted(token.token_id for token in _ranked(_order(question), question)))
        return page_of_ids(question.key, cursor, limit, ids, descending=question.is_descending)
    rank = lambda: _places(question)  # noqa: E731
    return _frozen.page(question.key, cursor, limit, rank, descending=question.is_descending)


def _order(question: _Question) -> Order:
    sort = "volume_usd" if question.sort == BY_ID else question.sort
    return Order(question.window, sort, question.is_descending, question.chain_id)


def _ranked(order: Order, question: _Question) -> list[TokenView]:
    """All tokens that match."""
    return [token for token in token_ranking().top(order, sys.maxsize).views if _matches(token, question)]


def _places(question: _Question) -> list[Place]:
    order = _order(question)
    value_of = field_of(order).value
    valued = ((token.token_id, value_of(token)) for token in _ranked(order, question))
    return [Place(token_id, "" if value is None else repr(value)) for token_id, value in valued]


def _matches(token: TokenView, question: _Question) -> bool:
    symbol = (token.symbol or "").casefold()
    if question.symbol and symbol != question.symbol.casefold():
        return False
    search = (question.search or "").casefold()
    return search in symbol or search in token.token_id.casefold()


def _row(view: LiveView, token: TokenView, name: str) -> dict[str, Any]:
    (window, sums), *_ = chosen(token, (name,))
    newest = token.part.newest
    return {
        "token": token_body(token, view.symbols.matches(token.symbol)),
        "last_event_at": rfc3339(token.part.last_event_ms),
        "price_usd": price_usd(newest.usd, newest.token) if newest else None,
        **window_body(token, window, sums),
    }
