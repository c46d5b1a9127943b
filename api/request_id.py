"""Each request has an id, in its answer, in its errors and in our log."""

import re
import secrets
from contextlib import AbstractContextManager
from typing import Any

from asgiref.sync import iscoroutinefunction
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.utils.decorators import sync_and_async_middleware
from structlog.contextvars import bound_contextvars

HEADER = "X-Request-ID"
_GIVEN = re.compile(r"[A-Za-z0-9._-]{1,64}")


@sync_and_async_middleware
def request_id_middleware(get_response: Any) -> Any:
    """Takes the id that a proxy gave, or makes one: `request.request_id`."""

    def answer(request: HttpRequest) -> HttpResponseBase:
        with _told_of(_identify(request)):
            return _mark(request, get_response(request))

    async def answer_async(request: HttpRequest) -> HttpResponseBase:
        with _told_of(_identify(request)):
            return _mark(request, await get_response(request))

    return answer_async if iscoroutinefunction(get_response) else answer


def request_id(given: str) -> str:
    """The one that was given, or where that is none, a new one."""
    return given if _GIVEN.fullmatch(given) else secrets.token_hex(8)


def _identify(request: HttpRequest) -> HttpRequest:
    request.request_id = request_id(request.headers.get(HEADER, ""))  # type: ignore[attr-defined]
    return request


def _told_of(request: HttpRequest) -> AbstractContextManager[None]:
    """Whatever is logged meanwhile says for which request."""
    given: str = request.request_id  # type: ignore[attr-defined]
    return bound_contextvars(request_id=given, method=request.method, path=request.path)


def _mark(request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
    response.headers[HEADER] = request.request_id  # type: ignore[attr-defined]
    return response
