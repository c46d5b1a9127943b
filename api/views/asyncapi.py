"""What is said over the WebSocket, as an AsyncAPI document. Open to all, as the OpenAPI one is."""

from functools import cache

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_safe

from api.documentation import STATS_EXAMPLE
from api.rendering import encode
from realtime.asyncapi import document


@require_safe
def asyncapi(request: HttpRequest) -> HttpResponse:
    return HttpResponse(_document(), content_type="application/json")


@cache
def _document() -> bytes:
    return encode(document(str(settings.SPECTACULAR_SETTINGS["VERSION"]), STATS_EXAMPLE))
