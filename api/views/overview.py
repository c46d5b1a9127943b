"""Which tokens lead, in each window."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from django.http import QueryDict
from rest_framework.request import Request
from rest_framework.response import Response

from api import documentation
from api.conditional import conditional, entity_tag
from api.parameters import chain_id_in, choice_in, limit_in, names_in, windows_in
from api.recent import Recent
from api.serializers import WINDOW_FIELD_NAMES
from api.views.base import ApiView
from realtime.ranking import FIELDS, Order
from realtime.stats_body import chosen, rfc3339, token_body, window_body
from realtime.token_view import TokenView
from realtime.view import LiveView
from swapstats.bootstrap import live_view, token_ranking
from swapstats.domain.window import Window

MAX_LIMIT = 100
KEPT_SECONDS = 0.1
"""As long as a worker takes from one publication to the next."""


class Asked(NamedTuple):
    """What to see of which tokens."""

    windows: tuple[str, ...]
    sort: str
    is_descending: bool
    limit: int
    chain_id: int | None
    fields: tuple[str, ...] | None


class Answer(NamedTuple):
    """As it was made; its body is not to be changed."""

    tag: str
    body: dict[str, Any]


_recent: Recent[Answer] = Recent(KEPT_SECONDS, most=256)


class OverviewView(ApiView):
    """The leading tokens of each window, by any of its numbers."""

    @documentation.overview
    def get(self, request: Request) -> Response:
        answer = overview(read_question(request.query_params, live_view().windows))
        return conditional(request, answer.tag, lambda: answer.body)


def overview(asked: Asked) -> Answer:
    """As it is now, or was a moment ago. Raises ViewNotReady."""
    return _recent.get(asked, lambda: _make(live_view(), asked))


def read_question(query: QueryDict, known: Sequence[Window]) -> Asked:
    """Raises ApiError."""
    return Asked(
        windows_in(query, known) or tuple(window.name for window in known),
        choice_in(query, "sort", FIELDS, "volume_usd"),
        choice_in(query, "order", ("asc", "desc"), "desc") == "desc",
        limit_in(query, 10, MAX_LIMIT),
        chain_id_in(query),
        names_in(query, "fields", WINDOW_FIELD_NAMES),
    )


def _make(view: LiveView, asked: Asked) -> Answer:
    leaders = {name: _leaders(view, name, asked) for name in asked.windows}
    body = {
        "as_of": rfc3339(view.as_of_ms()),
        "windows": {name: [_row(view, token, name, asked) for token in tokens] for name, tokens in leaders.items()},
    }
    versions = [(name, token.token_id, token.epoch, token.seq) for name, tokens in leaders.items() for token in tokens]
    return Answer(entity_tag(asked, versions), body)


def _leaders(view: LiveView, window: str, asked: Asked) -> list[TokenView]:
    """As they stand now: a ranking only looks at a token again when it has changed."""
    order = Order(window, asked.sort, asked.is_descending, asked.chain_id)
    ranked = token_ranking().top(order, asked.limit).views
    return [view.token(token.token_id) or token for token in ranked]


def _row(view: LiveView, token: TokenView, name: str, asked: Asked) -> dict[str, Any]:
    (window, sums), *_ = chosen(token, (name,))
    fields = window_body(token, window, sums)
    if asked.fields is not None:
        fields = {field: value for field, value in fields.items() if field in asked.fields}
    return {"token": token_body(token, view.symbols.matches(token.symbol)), **fields}
