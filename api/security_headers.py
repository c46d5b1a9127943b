"""What browsers are told of every answer: what its page may load, who may frame it, what it may use.

Django's SecurityMiddleware adds `nosniff`, `Referrer-Policy`, `Cross-Origin-Opener-Policy` and HSTS.
"""

from typing import Any

from asgiref.sync import iscoroutinefunction
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.utils.decorators import sync_and_async_middleware

from realtime.pages import CONTENT_SECURITY_POLICY

POLICY = "Content-Security-Policy"
PERMISSIONS = "Permissions-Policy"

NO_PAGE = "default-src 'none'; frame-ancestors 'none'"
"""For what is no page: should a browser take it for one all the same, nothing of it runs."""
BROWSABLE = CONTENT_SECURITY_POLICY.replace("style-src 'self'", "style-src 'self' 'unsafe-inline'")
"""The REST framework's pages of development carry styles of their own; scripts stay as strict."""

ALLOWED_NOTHING = ", ".join(
    f"{feature}=()"
    for feature in (
        *("accelerometer", "browsing-topics", "camera", "display-capture", "geolocation", "gyroscope", "magnetometer"),
        *("microphone", "midi", "payment", "usb"),
    )
)


@sync_and_async_middleware
def security_headers_middleware(get_response: Any) -> Any:
    def answer(request: HttpRequest) -> HttpResponseBase:
        return _protect(get_response(request))

    async def answer_async(request: HttpRequest) -> HttpResponseBase:
        return _protect(await get_response(request))

    return answer_async if iscoroutinefunction(get_response) else answer


def _protect(response: HttpResponseBase) -> HttpResponseBase:
    """A view that has a policy of its own keeps it."""
    response.headers.setdefault(POLICY, _policy(response))
    response.headers.setdefault(PERMISSIONS, ALLOWED_NOTHING)
    return response


def _policy(response: HttpResponseBase) -> str:
    if not response.headers.get("Content-Type", "").startswith("text/html"):
        return NO_PAGE
    renderer = getattr(response, "accepted_renderer", None)
    return BROWSABLE if getattr(renderer, "format", None) == "api" else CONTENT_SECURITY_POLICY
