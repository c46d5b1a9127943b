"""Answers as bytes, kept for as long as they are what the framework would give."""

import re
from functools import cached_property, lru_cache
from typing import Any, NamedTuple, Protocol

from django.http import QueryDict

from api.compression import LEAST_BYTES, gzip
from api.errors import ApiError
from api.rendering import encode
from api.views.overview import Answer, Asked, overview, read_question
from api.views.stats import Known, StatsAnswer, look_up
from swapstats.bootstrap import live_view
from swapstats.domain.window import Window

MAX_KEPT = 4_096
_STATS = re.compile(r"/api/tokens/(.+)/stats")


class Prepared:
    """The body of one answer; `view` is the name of the address."""

    def __init__(self, view: str, tag: str, body: Any) -> None:
        self.view = view
        self.tag = tag
        self.content = encode(body)
        self.is_compressible = len(self.content) >= LEAST_BYTES

    @cached_property
    def compressed(self) -> bytes:
        return gzip(self.content)


class Source(Protocol):
    def find(self, path: str, query: str) -> Prepared | None:
        """None for another path. Raises ApiError, ViewNotReady."""


class _KeptStats(NamedTuple):
    known: Known
    prepared: Prepared


class StatsSource:
    """`/api/tokens/{id}/stats`. A token's view is replaced whenever anything of it changes, its time included, so an
    answer made from the very same one is the same."""

    def __init__(self) -> None:
        self._kept: dict[tuple[str, str], _KeptStats] = {}

    def find(self, path: str, query: str) -> Prepared | None:
        match = _STATS.fullmatch(path)
        if match is None:
            return None
        known, kept = look_up(match[1]), self._kept.get((path, query))
        if kept and kept.known.token is known.token and kept.known.matches == known.matches:
            return kept.prepared
        body = _stats_answer(query, known.token.windows).body(known)
        prepared = Prepared("token-stats", known.tag, body)
        _keep(self._kept, (path, query), _KeptStats(known, prepared))
        return prepared


class _KeptOverview(NamedTuple):
    answer: Answer
    prepared: Prepared


class OverviewSource:
    """`/api/overview`, as it was made last."""

    def __init__(self) -> None:
        self._kept: dict[Asked, _KeptOverview] = {}

    def find(self, path: str, query: str) -> Prepared | None:
        if path != "/api/overview":
            return None
        asked = _overview_question(query, live_view().windows)
        answer, kept = overview(asked), self._kept.get(asked)
        if kept and kept.answer is answer:
            return kept.prepared
        prepared = Prepared("overview", answer.tag, answer.body)
        _keep(self._kept, asked, _KeptOverview(answer, prepared))
        return prepared


@lru_cache(maxsize=1_024)
def _stats_answer(query: str, windows: tuple[Window, ...]) -> StatsAnswer:
    return StatsAnswer(_read(query), windows)


@lru_cache(maxsize=1_024)
def _overview_question(query: str, windows: tuple[Window, ...]) -> Asked:
    return read_question(_read(query), windows)


def _read(query: str) -> QueryDict:
    """`format` chooses a renderer, which is the framework's matter. Raises ApiError for it."""
    parameters = QueryDict(query)
    if "format" in parameters:
        raise ApiError(406, "not_acceptable", "The framework chooses the format.")
    return parameters


def _keep(kept: dict[Any, Any], key: object, value: object) -> None:
    if len(kept) >= MAX_KEPT:
        kept.clear()
    kept[key] = value
