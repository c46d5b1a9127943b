"""The WebSocket door: one consumer per client, moving text between the connection and the client's session."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any

from channels.generic.websocket import AsyncWebsocketConsumer
from channels.security.websocket import WebsocketDenier

from realtime import metrics
from realtime.allowance import Allowance
from realtime.origin import OriginRule
from realtime.outbox import Outbox
from realtime.protocol import SUBPROTOCOL, Bye, ByeReason, CloseCode, ErrorCode, encode
from realtime.service import Service
from realtime.session import Session
from realtime.stats_body import rfc3339
from swapstats.domain.errors import MessageRefused

LAST_WORDS = "swapstats.last_words"
"""Marks what a server that knows how may send even to a client that does not read; others ignore it."""
LAST_WORDS_S = 1.0
"""How long a client that is sent away gets to take its bye."""

NO_LAYER = "none: clients never join the channel layer"

Message = Mapping[str, Any]


class SwapConsumer(AsyncWebsocketConsumer):  # type: ignore[misc] # Channels has no types
    """Two tasks serve a client: this one takes its messages, one at a time and the next only when the answers to the
    last are sent; the other sends what waits in its outbox. A send blocks while the client does not read."""

    channel_layer_alias = NO_LAYER

    def __init__(self, service: Callable[[], Service], hosts: Sequence[str]) -> None:
        super().__init__()
        self._service = service()
        self._origins = OriginRule(hosts, self._service.settings.allowed_origins)
        self._ready = asyncio.Event()
        self._sent = asyncio.Event()
        self._outbox = Outbox(self._ready.set)
        self._session = Session(self._service.desk, self._outbox)
        self._allowance = Allowance()
        self._writer: asyncio.Task[None] | None = None
        self._blocked_since: float | None = None
        self._leaving = False

    async def dispatch(self, message: Message) -> None:
        """Without the base class's look after database connections, a thread's worth for each message: none is used."""
        handlers: Mapping[str, Callable[[Message], Awaitable[None]]] = {
            "websocket.connect": self.websocket_connect,
            "websocket.receive": self.websocket_receive,
            "websocket.disconnect": self.websocket_disconnect,
        }
        await handlers[message["type"]](message)

    async def connect(self) -> None:
        """Whoever is refused is accepted first: only so do browsers learn the close code."""
        await self.accept(SUBPROTOCOL if SUBPROTOCOL in self.scope.get("subprotocols", ()) else None)
        refusal = self._refusal()
        if refusal:
            await self.dismiss(*refusal)
            return
        self._service.enter(self)
        self._session.open()
        self._writer = asyncio.get_running_loop().create_task(self._write())
        self._writer.add_done_callback(self._on_writer_done)

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        if self._leaving:
            return
        if len(text_data or bytes_data or "") > self._service.settings.max_message_bytes:
            await self.dismiss(ByeReason.MESSAGE_TOO_BIG, CloseCode.MESSAGE_TOO_BIG)
            return
        if not self._allowance.take(asyncio.get_running_loop().time()):
            self._session.refuse(MessageRefused(ErrorCode.RATE_LIMITED, "Too many messages; this one is ignored"))
        elif text_data is None:
            self._session.refuse(MessageRefused(ErrorCode.BAD_MESSAGE, "Expected a text frame"))
        else:
            self._session.answer(text_data)
        self._sent.clear()
        await self._sent.wait()

    async def disconnect(self, code: int) -> None:
        self._leave()

    # What the service asks of a client

    def blocked_s(self, now: float) -> float:
        return now - self._blocked_since if self._blocked_since is not None else 0.0

    async def dismiss(self, reason: ByeReason, code: CloseCode) -> None:
        """Say bye and close. A client that takes neither within a second is dropped by the server."""
        if self._leaving:
            return
        self._leave()
        metrics.CLOSED.labels(reason).inc()
        with suppress(TimeoutError, OSError):
            async with asyncio.timeout(LAST_WORDS_S):
                await self.base_send({"type": "websocket.send", "text": encode(Bye(reason)), LAST_WORDS: True})
                await self.close(code, reason)

    def _refusal(self) -> tuple[ByeReason, CloseCode] | None:
        headers = dict(self.scope["headers"])
        origin, host = headers.get(b"origin"), headers.get(b"host", b"").decode("latin-1")
        if not self._origins.allows(origin and origin.decode("latin-1"), host):
            return ByeReason.ORIGIN_REFUSED, CloseCode.ORIGIN_REFUSED
        return self._service.refusal()

    async def _write(self) -> None:
        now = asyncio.get_running_loop().time
        while True:
            await self._ready.wait()
            self._ready.clear()
            for frame in self._outbox.take(rfc3339(self._service.desk.now_ms())):
                self._blocked_since = now()
                await self.base_send({"type": "websocket.send", "text": frame})
            self._blocked_since = None
            self._sent.set()

    def _on_writer_done(self, writer: asyncio.Task[None]) -> None:
        """The connection is gone, we let go, or a frame could not be made: then nothing can be said any more."""
        self._leave()
        if not writer.cancelled() and not isinstance(writer.exception(), OSError):
            writer.get_loop().call_exception_handler({"message": "a writer failed", "exception": writer.exception()})

    def _leave(self) -> None:
        self._leaving = True
        self._session.close()
        self._service.leave(self)
        self._sent.set()
        if self._writer:
            self._writer.cancel()


class NoSuchAddress(WebsocketDenier):  # type: ignore[misc]
    channel_layer_alias = NO_LAYER
