"""Answers plain requests, and learns from the framework how."""

import time
from collections.abc import Iterable, MutableMapping
from http import HTTPStatus
from typing import Any, NamedTuple

from django.conf import settings

from api import request_id
from api.conditional import is_held
from api.direct.learned import Headers, Kind, LearnedHeaders, kind_of
from api.direct.metrics import AnswerCounter
from api.direct.plain import Environ, caller_of, is_admitted, is_plain, takes_gzip
from api.direct.prepared import BatchSource, OverviewSource, Prepared, Source, StatsSource
from api.direct.stats_text import StatsTexts
from api.errors import ApiError
from api.throttling import VERDICT, limit_headers, take
from swapstats.domain.errors import TokenRefused, ViewNotReady
from swapstats.ports.rate_limiter import Verdict

UNLEARNED = "swapstats.kind"
"""Where an environment holds the kind of an answer whose headers are to be learned."""


class Reply(NamedTuple):
    """`status` is the whole line's, such as ``200 OK``."""

    status: str
    headers: list[tuple[str, str]]
    body: bytes


class Desk:
    """For any thread."""

    def __init__(self) -> None:
        texts = StatsTexts()
        self._sources: tuple[Source, ...] = (StatsSource(texts), OverviewSource(), BatchSource(texts))
        self._learned = LearnedHeaders()
        self._counters: dict[Kind, AnswerCounter] = {}

    def reply(self, environ: MutableMapping[str, Any]) -> Reply | None:
        """None where the framework is to answer; then nothing was counted, or the verdict stands in `environ`."""
        began = time.perf_counter()
        if not is_plain(environ) or not is_admitted(environ):
            return None
        try:
            caller = caller_of(environ)
            prepared = self._find(environ)
        except (ApiError, TokenRefused, ViewNotReady):
            return None  # the framework meets the same, and says it in full
        if prepared is None:
            return None
        status = 304 if _is_held(environ, prepared) else 200
        kind = kind_of(environ, prepared.view, status, prepared.is_compressible)
        constant = self._learned.get(kind)
        if constant is None:
            environ[UNLEARNED] = kind
            return None
        verdict = take(caller, environ)
        if not verdict.is_allowed:
            environ[VERDICT] = verdict
            return None
        reply = _compose(environ, prepared, status, constant, verdict)
        self._counter(kind).count(len(reply.body), time.perf_counter() - began)
        return reply

    def learn(self, environ: Environ, status: int, headers: Iterable[tuple[str, str]]) -> None:
        """What the framework answered to a request whose kind `reply` did not know."""
        self._learned.learn(environ[UNLEARNED], status, headers)

    def _find(self, environ: Environ) -> Prepared | None:
        path, query = environ["PATH_INFO"], environ.get("QUERY_STRING", "")
        return next((found for source in self._sources if (found := source.find(path, query))), None)

    def _counter(self, kind: Kind) -> AnswerCounter:
        counter = self._counters.get(kind)
        if counter is None:
            counter = self._counters[kind] = AnswerCounter(kind.view, kind.status, _transport(kind))
        return counter


def _is_held(environ: Environ, prepared: Prepared) -> bool:
    condition = environ.get("HTTP_IF_NONE_MATCH")
    return bool(condition and prepared.tag and is_held(condition, prepared.tag))


def _compose(environ: Environ, prepared: Prepared, status: int, constant: Headers, verdict: Verdict) -> Reply:
    headers = [*constant, *limit_headers(verdict)]
    if prepared.tag:
        headers.append(("ETag", prepared.tag))
    headers.append((request_id.HEADER, request_id.request_id(environ.get("HTTP_X_REQUEST_ID", ""))))
    body = prepared.content if status == 200 else b""
    if body and prepared.is_compressible and takes_gzip(environ):
        body = prepared.compressed
        headers.append(("Content-Encoding", "gzip"))
    headers.append(("Content-Length", str(len(body))))
    return Reply(_LINES[status], headers, body)


def _transport(kind: Kind) -> str:
    """As `HttpRequest.is_secure` tells it."""
    if settings.SECURE_PROXY_SSL_HEADER and kind.forwarded_proto is not None:
        _, secure = settings.SECURE_PROXY_SSL_HEADER
        return "https" if kind.forwarded_proto.split(",", 1)[0].strip() == secure else "http"
    return kind.scheme


_LINES = {status: f"{status} {HTTPStatus(status).phrase}" for status in (200, 304)}
