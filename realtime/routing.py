"""The WebSocket addresses of the site."""

from collections.abc import Callable

from channels.routing import URLRouter
from django.conf import settings
from django.urls import re_path

from realtime.consumers import NoSuchAddress, SwapConsumer
from realtime.service import Service


def websocket_application(service: Callable[[], Service]) -> URLRouter:
    """`/ws`; any other address is refused. `service` gives this process's."""
    consumer = SwapConsumer.as_asgi(service=service, hosts=settings.ALLOWED_HOSTS)
    return URLRouter([re_path(r"^ws/?$", consumer), re_path(r"", NoSuchAddress.as_asgi())])
