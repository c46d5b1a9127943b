"""Answers as bytes, kept for as long as they are what the framework would give."""

import re
from functools import cached_property, lru_cache
from typing import NamedTuple, Protocol

from django.http import QueryDict

from api.compression import LEAST_BYTES, gzip
from api.direct.plain import LONGEST
from api.direct.stats_text import StatsTexts
from api.errors import ApiError
from api.rendering import encode
from api.views.overview import Answer, Asked, overview, read_question
from api.views.stats import StatsAnswer, ids_in, look_up, look_up_all
from swapstats.bootstrap import live_view
from swapstats.domain.window import Window

MAX_KEPT = 256
"""Overviews; as many as are remembered as they were made last."""
_STATS = re.compile(r"/api/tokens/(.+)/stats")


class Prepared:
    """The body of one answer; `view` is the name of the address, `tag` its entity tag where it has one."""

    def __init__(self, view: str, tag: str | None, content: bytes) -> None:
        self.view = view
        self.tag = tag
        self.content = content
        self.is_compressible = len(content) >= LEAST_BYTES

    @cached_property
    def compressed(self) -> bytes:
        return gzip(self.content)


class Source(Protocol):
    def find(self, path: str, query: str) -> Prepared | None:
        """None for another path. Raises ApiError, ViewNotReady."""


class StatsSource:
    """`/api/tokens/{id}/stats`."""

    def __init__(self, texts: StatsTexts) -> None:
        self._texts = texts

    def find(self, path: str, query: str) -> Prepared | None:
        match = _STATS.fullmatch(path)
        if match is None or len(query) > LONGEST:
            return None
        known = look_up(match[1])
        return Prepared("token-stats", *self._texts.fill(known, _stats_answer(query, known.token.windows)))


class BatchSource:
    """`/api/tokens/stats`, put together from the answers for each token."""

    def __init__(self, texts: StatsTexts) -> None:
        self._texts = texts

    def find(self, path: str, query: str) -> Prepared | None:
        if path != "/api/tokens/stats":
            return None
        parameters = _read(query)
        answer = StatsAnswer.read(parameters, live_view().windows)
        found, errors = look_up_all(ids_in(parameters))
        items = b",".join([self._texts.fill(known, answer)[1] for known in found])
        return Prepared("batch-stats", None, b'{"items":[%b],"errors":%b}' % (items, encode(errors)))


class _KeptOverview(NamedTuple):
    answer: Answer
    prepared: Prepared


class OverviewSource:
    """`/api/overview`, as it was made last."""

    def __init__(self) -> None:
        self._kept: dict[Asked, _KeptOverview] = {}

    def find(self, path: str, query: str) -> Prepared | None:
        if path != "/api/overview" or len(query) > LONGEST:
            return None
        asked = _overview_question(query, live_view().windows)
        answer, kept = overview(asked), self._kept.get(asked)
        if kept and kept.answer is answer:
            return kept.prepared
        prepared = Prepared("overview", answer.tag, encode(answer.body))
        if len(self._kept) >= MAX_KEPT:
            self._kept.clear()
        self._kept[asked] = _KeptOverview(answer, prepared)
        return prepared


@lru_cache(maxsize=1_024)
def _stats_answer(query: str, windows: tuple[Window, ...]) -> StatsAnswer:
    return StatsAnswer.read(_read(query), windows)


@lru_cache(maxsize=1_024)
def _overview_question(query: str, windows: tuple[Window, ...]) -> Asked:
    return read_question(_read(query), windows)


def _read(query: str) -> QueryDict:
    """`format` chooses a renderer, which is the framework's matter. Raises ApiError for it."""
    parameters = QueryDict(query)
    if "format" in parameters:
        raise ApiError(406, "not_acceptable", "The framework chooses the format.")
    return parameters
