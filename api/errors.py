"""Every error of the API as a problem (RFC 9457), with a code that programs can rely on.

`type` is a URN made of the code; `detail` says what was wrong and what was expected; `request_id` is also in the
answer's `X-Request-ID` and in our log.
"""

import logging
from typing import Any

from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from rest_framework import exceptions
from rest_framework.response import Response

from api.rendering import encode
from swapstats.domain.errors import ViewNotReady

log = logging.getLogger(__name__)

CONTENT_TYPE = "application/problem+json"

TITLES = {
    "token_not_found": "No such token",
    "bad_window": "Unknown window",
    "bad_parameter": "A parameter is not as expected",
    "malformed_body": "The body cannot be read",
    "not_authenticated": "A token is needed",
    "token_expired": "The token has expired",
    "bad_token": "The token is not valid",
    "forbidden": "Not allowed",
    "not_found": "No such address",
    "method_not_allowed": "No such method at this address",
    "not_acceptable": "None of the formats asked for is offered",
    "unsupported_media_type": "The body's format is not understood",
    "body_too_large": "The body is too large",
    "address_too_long": "The address is too long",
    "headers_too_large": "The headers are too large",
    "rate_limited": "Too many requests",
    "not_ready": "Not ready yet",
    "archive_unavailable": "The archive is not available",
    "internal_error": "An error of ours",
}


class ApiError(exceptions.APIException):
    """An error with one of the codes of `TITLES`."""

    def __init__(self, status: int, code: str, detail: str, headers: dict[str, str] | None = None) -> None:
        super().__init__(detail, code)
        self.status_code = status
        self.code = code
        self.headers = headers or {}


def token_not_found(reference: str) -> ApiError:
    return ApiError(404, "token_not_found", f"No token is known as {_shown(reference)}.")


def bad_parameter(name: str, expected: str, got: str) -> ApiError:
    return ApiError(400, "bad_parameter", f"`{name}`: expected {expected}, got {_shown(got)}.")


def bad_window(known: list[str], got: str) -> ApiError:
    return ApiError(400, "bad_window", f"`windows`: expected names among {', '.join(known)}, got {_shown(got)}.")


def not_ready(error: ViewNotReady) -> ApiError:
    return ApiError(503, "not_ready", f"{str(error)[:1].upper()}{str(error)[1:]}.", {"Retry-After": "1"})


_CODES: list[tuple[type[Exception], str]] = [
    (exceptions.ParseError, "malformed_body"),
    (exceptions.ValidationError, "bad_parameter"),
    (exceptions.NotAuthenticated, "not_authenticated"),
    (exceptions.AuthenticationFailed, "bad_token"),
    (exceptions.PermissionDenied, "forbidden"),
    (exceptions.NotFound, "not_found"),
    (exceptions.MethodNotAllowed, "method_not_allowed"),
    (exceptions.NotAcceptable, "not_acceptable"),
    (exceptions.UnsupportedMediaType, "unsupported_media_type"),
    (exceptions.Throttled, "rate_limited"),
]


def handle(error: Exception, context: dict[str, Any]) -> Response:
    """DRF's exception handler. What is not expected is logged with its trace, and only that it happened is told."""
    request_id = request_id_of(context["request"])
    known = as_api_error(error)
    if known is None:
        log.error("request %s failed", request_id, exc_info=error)
        known = ApiError(500, "internal_error", "The request failed for a reason on our side, which is in our log.")
    is_page = getattr(getattr(context["request"], "accepted_renderer", None), "format", None) == "api"
    return Response(
        problem(known.status_code, known.code, str(known.detail), request_id),
        known.status_code,
        headers=known.headers,
        content_type=None if is_page else CONTENT_TYPE,
    )


def as_api_error(error: Exception) -> ApiError | None:
    """The error as one of ours; None for one that nobody expects."""
    if isinstance(error, ApiError):
        return error
    if isinstance(error, ViewNotReady):
        return not_ready(error)
    if isinstance(error, Http404):
        error = exceptions.NotFound("There is nothing at this address.")
    elif isinstance(error, PermissionDenied):
        error = exceptions.PermissionDenied()
    if not isinstance(error, exceptions.APIException):
        return None
    code = next((code for kind, code in _CODES if isinstance(error, kind)), "bad_parameter")
    return ApiError(error.status_code, code, _sentence(error.detail), _headers(error))


def problem(status: int, code: str, detail: str, request_id: str) -> dict[str, Any]:
    return {
        "type": f"urn:swapstats:problem:{code}",
        "title": TITLES[code],
        "status": status,
        "detail": detail,
        "code": code,
        "request_id": request_id,
    }


def problem_response(request: HttpRequest, status: int, code: str, detail: str) -> HttpResponse:
    """For what happens outside of DRF."""
    return HttpResponse(
        encode(problem(status, code, detail, request_id_of(request))), status=status, content_type=CONTENT_TYPE
    )


def request_id_of(request: Any) -> str:
    """As `RequestIdMiddleware` gave it."""
    return getattr(request, "request_id", "")


def _headers(error: exceptions.APIException) -> dict[str, str]:
    headers = {}
    if auth_header := getattr(error, "auth_header", None):
        headers["WWW-Authenticate"] = auth_header
    if wait := getattr(error, "wait", None):
        headers["Retry-After"] = f"{wait:.0f}"
    return headers


def _sentence(detail: Any) -> str:
    """DRF's details may be nested by field."""
    if isinstance(detail, dict):
        return " ".join(f"`{name}`: {_sentence(value)}" for name, value in detail.items())
    if isinstance(detail, list):
        return " ".join(_sentence(value) for value in detail)
    return str(detail)


def _shown(text: str) -> str:
    """What a client sent, short enough to be repeated."""
    return repr(text if len(text) <= 80 else f"{text[:77]}...")
