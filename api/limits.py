"""How large a request may be. Whoever sends more is told so, before anything of it is looked at."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, NamedTuple

from asgiref.sync import iscoroutinefunction
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.utils.decorators import sync_and_async_middleware

from api.errors import CONTENT_TYPE, problem, problem_response
from api.rendering import encode
from api.request_id import HEADER, request_id

MAX_BODY = 65_536
MAX_PATH = 2_048
MAX_QUERY = 16_384
"""A hundred of the longest identities."""
MAX_HEADERS = 16_384
"""All names and values together; a token has up to 8,192."""


class TooLarge(NamedTuple):
    status: int
    code: str
    detail: str


BODY = TooLarge(413, "body_too_large", f"A body has at most {MAX_BODY} bytes.")
PATH = TooLarge(414, "address_too_long", f"A path has at most {MAX_PATH} bytes.")
QUERY = TooLarge(414, "address_too_long", f"A query has at most {MAX_QUERY} bytes.")
HEADERS = TooLarge(431, "headers_too_large", f"All headers together have at most {MAX_HEADERS} bytes.")


@sync_and_async_middleware
def size_limits_middleware(get_response: Any) -> Any:
    def answer(request: HttpRequest) -> HttpResponseBase:
        return _refuse(request) or get_response(request)

    async def answer_async(request: HttpRequest) -> HttpResponseBase:
        return _refuse(request) or await get_response(request)

    return answer_async if iscoroutinefunction(get_response) else answer


def too_large(meta: Mapping[str, Any]) -> TooLarge | None:
    """What of a request (Django's `META`) is too large, if anything."""
    if len(meta.get("PATH_INFO", "")) > MAX_PATH:
        return PATH
    if len(meta.get("QUERY_STRING", "")) > MAX_QUERY:
        return QUERY
    if sum(len(name) + len(value) for name, value in meta.items() if name.startswith("HTTP_")) > MAX_HEADERS:
        return HEADERS
    length = str(meta.get("CONTENT_LENGTH") or "0")
    return BODY if length.isdigit() and int(length[:20]) > MAX_BODY else None


def _refuse(request: HttpRequest) -> HttpResponse | None:
    found = too_large(request.META)
    return problem_response(request, *found) if found else None


class _BodyTooLargeError(Exception):
    pass


class BoundedBody:
    """An ASGI application whose requests' bodies are cut off where they are too large, be their length told or not.
    Django reads all of a body before any middleware runs."""

    def __init__(self, application: Callable[..., Awaitable[None]]) -> None:
        self._application = application

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        left = MAX_BODY

        async def receive_some() -> Mapping[str, Any]:
            nonlocal left
            message: Mapping[str, Any] = await receive()
            left -= len(message.get("body", b""))
            if left < 0:
                raise _BodyTooLargeError
            return message

        try:
            await self._application(scope, receive_some, send)
        except _BodyTooLargeError:
            await _tell(send)


async def _tell(send: Any) -> None:
    identity = request_id("")
    headers = [
        (b"content-type", CONTENT_TYPE.encode()),
        (HEADER.lower().encode(), identity.encode()),
        (b"connection", b"close"),
    ]
    await send({"type": "http.response.start", "status": BODY.status, "headers": headers})
    await send({"type": "http.response.body", "body": encode(problem(*BODY, identity))})
