"""The pages that people look at: shells that the browser fills over the WebSocket."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from settings.config import load_config

CONTENT_SECURITY_POLICY = "; ".join(
    [
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "font-src 'self'",
        "img-src 'self' data:",
        "connect-src 'self'",
        "base-uri 'none'",
        "form-action 'self'",
        "frame-ancestors 'none'",
    ]
)
"""Nothing but our own files: no other site, no inline script or style."""
PLACEHOLDER_ROWS = range(12)
INTERVALS = ("1m", "5m", "15m", "1h", "4h", "1d")
"""Widths of a candle that the archive offers."""


@require_safe
def board(request: HttpRequest) -> HttpResponse:
    """All tokens."""
    return _page(request, "realtime/board.html", placeholders=PLACEHOLDER_ROWS)


@require_safe
def token(request: HttpRequest, reference: str) -> HttpResponse:
    """One token, by its id or symbol; whether there is such a token is for the WebSocket to say."""
    return _page(request, "realtime/token.html", reference=reference, intervals=INTERVALS)


def _page(request: HttpRequest, template: str, **context: object) -> HttpResponse:
    config = load_config()
    shared = {"windows": list(config.app.windows), "must_sign_in": config.security.jwt.enabled}
    response = render(request, template, {**shared, **context})
    response["Content-Security-Policy"] = CONTENT_SECURITY_POLICY
    response["Cache-Control"] = "no-cache"
    return response
