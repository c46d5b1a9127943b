"""What uvicorn has to be taught about WebSockets: to end a connection whose client does not read, and to let clients
be told before a shutdown.

uvicorn blocks `send` while a client does not read, which is what keeps memory flat; but it blocks the close as well,
and then a closed transport waits for its reader without end.
"""

import asyncio
import logging
import socket
import struct
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, cast

import uvicorn
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.protocol import State

from realtime.consumers import DIRECT, LAST_WORDS
from swapstats.garbage import spare_the_collector

if TYPE_CHECKING:
    from uvicorn._types import ASGISendEvent

log = logging.getLogger(__name__)

LINGER_S = 2.0
"""How long a client may take to read what is on its way to it when the connection is closed."""
WHOLE_TEXT = 0x81


class LingeringWebSocket(WebSocketsSansIOProtocol):
    """Last words and the close go into the buffer however full it is, and after a while it is thrown away. Offers the
    application a `DirectWriter`, itself."""

    async def run_asgi(self) -> None:
        cast("dict[str, Any]", self.scope["extensions"])[DIRECT] = self
        await super().run_asgi()

    def is_writable(self) -> bool:
        """Not while the client does not read, nor where messages are compressed, which is not done here."""
        return (
            self.writable.is_set()
            and self.handshake_complete
            and self.conn.state is State.OPEN
            and not (self.close_sent or self.disconnected or self.conn.extensions or self.transport.is_closing())
        )

    def write_text(self, text: str) -> None:
        self.transport.write(text_frame(text.encode()))

    async def send(self, message: "ASGISendEvent") -> None:
        is_close = message["type"] == "websocket.close"
        if is_close or message.get(LAST_WORDS):
            self.writable.set()
        await super().send(message)
        if is_close:
            self.loop.call_later(LINGER_S, self.transport.abort)


def text_frame(payload: bytes) -> bytes:
    """An unmasked text frame, whole: RFC 6455, section 5.2."""
    size = len(payload)
    if size < 126:
        return bytes((WHOLE_TEXT, size)) + payload
    if size < 65_536:
        return struct.pack("!BBH", WHOLE_TEXT, 126, size) + payload
    return struct.pack("!BBQ", WHOLE_TEXT, 127, size) + payload


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
