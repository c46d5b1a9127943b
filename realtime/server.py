"""What uvicorn has to be taught about WebSockets: to end a connection whose client does not read, and to let clients
be told before a shutdown.

uvicorn blocks `send` while a client does not read, which is what keeps memory flat; but it blocks the close as well,
and then a closed transport waits for its reader without end.
"""

import asyncio
import logging
import socket
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

import uvicorn
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

from realtime.consumers import LAST_WORDS
from swapstats.garbage import spare_the_collector

if TYPE_CHECKING:
    from uvicorn._types import ASGISendEvent

log = logging.getLogger(__name__)

LINGER_S = 2.0
"""How long a client may take to read what is on its way to it when the connection is closed."""


class LingeringWebSocket(WebSocketsSansIOProtocol):
    """Last words and the close go into the buffer however full it is, and after a while it is thrown away."""

    async def send(self, message: "ASGISendEvent") -> None:
        is_close = message["type"] == "websocket.close"
        if is_close or message.get(LAST_WORDS):
            self.writable.set()
        await super().send(message)
        if is_close:
            self.loop.call_later(LINGER_S, self.transport.abort)


class DrainingServer(uvicorn.Server):
    """Calls `drain` at a shutdown, while connections are still open and no new ones are accepted."""

    def __init__(self, config: uvicorn.Config, drain: Callable[[], Awaitable[None]]) -> None:
        super().__init__(config)
        self._drain = drain

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        spare_the_collector()
        await super().startup(sockets)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        for server in self.servers:
            server.close()
        try:
            await asyncio.wait_for(self._drain(), self.config.timeout_graceful_shutdown)
        except TimeoutError:
            log.warning("some WebSocket clients could not be told of the shutdown in time")
        await super().shutdown(sockets)
