"""The WebSocket addresses of the site."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from channels.routing import URLRouter
from django.urls import re_path

from realtime.consumers import SwapConsumer
from realtime.origin import OriginRule
from realtime.service import Service


def websocket_application(service: Service, origins: OriginRule) -> URLRouter:
    """`/ws`; any other address is refused."""
    return URLRouter(
        [
            re_path(r"^ws/?$", SwapConsumer.as_asgi(service=service, origins=origins)),
            re_path(r"", _refuse),
        ]
    )


async def _refuse(
    _: Mapping[str, Any], receive: Callable[[], Awaitable[Any]], send: Callable[[Any], Awaitable[None]]
) -> None:
    await receive()
    await send({"type": "websocket.close"})
