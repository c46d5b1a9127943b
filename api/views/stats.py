"""The stats of one token, or of up to a hundred."""

from collections.abc import Collection, Iterable, Sequence
from typing import Any, NamedTuple, Self

from django.http import QueryDict
from rest_framework.request import Request
from rest_framework.response import Response

from api import documentation
from api.conditional import conditional, entity_tag
from api.errors import ApiError, as_api_error, bad_parameter
from api.parameters import names_in, windows_in
from api.serializers import WINDOW_FIELD_NAMES
from api.tokens import find
from api.views.base import ApiView
from realtime.stats_body import Body, stats_body
from realtime.token_view import TokenView
from swapstats.bootstrap import live_view
from swapstats.domain.errors import ViewNotReady
from swapstats.domain.window import Window

MAX_IDS = 100


class Known(NamedTuple):
    """A token, and how many carry its symbol."""

    token: TokenView
    matches: int

    @property
    def tag(self) -> str:
        token = self.token
        return entity_tag(token.token_id, token.epoch, token.seq, self.matches, token.complete_since_ms)


def look_up(reference: str) -> Known:
    """The token by its identity or symbol. Raises ApiError, ViewNotReady."""
    view = live_view()
    token = find(view, reference)
    return Known(token, view.symbols.matches(token.symbol))


class TokenStatsView(ApiView):
    """The statistics of one token."""

    @documentation.stats
    def get(self, request: Request, reference: str) -> Response:
        known = look_up(reference)
        answer = StatsAnswer.read(request.query_params, known.token.windows)
        return conditional(request, known.tag, lambda: answer.body(known))


class BatchStatsView(ApiView):
    """The statistics of up to a hundred tokens; one that is wrong fails only itself."""

    @documentation.batch
    def get(self, request: Request) -> Response:
        answer = StatsAnswer.read(request.query_params, live_view().windows)
        found, errors = look_up_all(ids_in(request.query_params))
        body = {"items": [answer.body(known) for known in found], "errors": errors}
        return Response(body, headers={"Cache-Control": "private, no-cache"})


class StatsAnswer(NamedTuple):
    """What was asked to see of a token: `windows`, and `fields` of each window; None: all."""

    windows: tuple[str, ...] | None
    fields: tuple[str, ...] | None

    @classmethod
    def read(cls, query: QueryDict, windows: Sequence[Window]) -> Self:
        """Raises ApiError."""
        return cls(windows_in(query, windows), names_in(query, "fields", WINDOW_FIELD_NAMES))

    def body(self, known: Known) -> Body:
        return select(stats_body(known.token, known.matches, self.windows), self.fields)


def look_up_all(references: Iterable[str]) -> tuple[list[Known], list[dict[str, str]]]:
    """The tokens, and what was wrong with those that could not be found."""
    found: list[Known] = []
    errors: list[dict[str, str]] = []
    for reference in references:
        try:
            found.append(look_up(reference))
        except (ApiError, ViewNotReady) as error:
            errors.append(_item_error(reference, error))
    return found, errors


def select(body: Body, fields: Collection[str] | None) -> Body:
    """The body with only these fields in each window."""
    if fields is not None:
        windows: dict[str, dict[str, Any]] = body["windows"]
        for name, window in windows.items():
            windows[name] = {field: value for field, value in window.items() if field in fields}
    return body


def ids_in(query: QueryDict) -> list[str]:
    """Raises ApiError."""
    given = [name for value in query.getlist("ids") for name in value.split(",") if name]
    if not given:
        raise bad_parameter("ids", "token identities or symbols, separated by commas", query.get("ids", ""))
    if len(given) > MAX_IDS:
        raise bad_parameter("ids", f"at most {MAX_IDS} of them", f"{len(given)}")
    return given


def _item_error(reference: str, error: ApiError | ViewNotReady) -> dict[str, str]:
    known = as_api_error(error)
    if known is None:
        raise error
    return {"id": reference, "code": known.code, "detail": str(known.detail)}
