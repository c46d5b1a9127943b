"""The WebSocket door: one consumer per client, moving text between the connection and the client's session."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any, Protocol

from channels.generic.websocket import AsyncWebsocketConsumer
from channels.security.websocket import WebsocketDenier

from realtime import metrics
from realtime.admission import header
from realtime.allowance import Allowance
from realtime.origin import OriginRule
from realtime.outbox import Outbox
from realtime.protocol import SUBPROTOCOL, Bye, ByeReason, CloseCode, ErrorCode, Subscribe, encode
from realtime.service import Service
from realtime.session import Session
from realtime.stats_body import rfc3339
from swapstats.domain.errors import MessageRefused, StoreUnavailable, TokenExpired, TokenRefused
from swapstats.ports.token_verifier import Caller

LAST_WORDS = "swapstats.last_words"
"""Marks what a server that knows how may send even to a client that does not read; others ignore it."""
DIRECT = "swapstats.direct"
"""The ASGI extension that holds a `DirectWriter`, where the server has one."""
LAST_WORDS_S = 1.0
"""How long a client that is sent away gets to take its bye."""

LEEWAY_S = 30
"""By how much `Caller.expires_at_s` lies after the token's own end."""
NOTED = (ByeReason.NOT_AUTHENTICATED, ByeReason.TOKEN_EXPIRED, ByeReason.RATE_LIMITED)
"""The refusals that operators are shown."""
NO_LAYER = "none: clients never join the channel layer"

Message = Mapping[str, Any]


class DirectWriter(Protocol):
    """Writes text frames at once, where ASGI's `send` needs a task that may have to wait."""

    def is_writable(self) -> bool:
        """Whether the connection is open and its client reads."""

    def write_text(self, text: str) -> None:
        """Send a frame; only while `is_writable`, and it may end that."""


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
        self._outbox = Outbox(self._ready.set, self._deliver)
        self._session = Session(self._service.desk, self._outbox)
        self._allowance = Allowance()
        self._writer: asyncio.Task[None] | None = None
        self._expiry: asyncio.TimerHandle | None = None
        self._blocked_since: float | None = None
        self._leaving = False
        self._direct: DirectWriter | None = None
        self._caller: Caller | None = None

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
        try:
            self._caller = await self._let_in()
        except _Refused as refused:
            await self.dismiss(*refused.args)
            return
        self._direct = self.scope.get("extensions", {}).get(DIRECT)
        self._service.enter(self)
        self._session.open()
        self._writer = asyncio.get_running_loop().create_task(self._write())
        self._writer.add_done_callback(self._on_writer_done)
        if self._caller:
            self._end_with(self._caller)

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
            await self._answer(text_data)
        self._sent.clear()
        await self._sent.wait()

    async def disconnect(self, code: int) -> None:
        self._leave()

    # What the service asks of a client

    def blocked_s(self, now: float) -> float:
        return now - self._blocked_since if self._blocked_since is not None else 0.0

    def is_welcome(self) -> bool:
        admission = self._service.admission
        return not admission or self._caller is None or admission.accepts(self._caller)

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

    async def _answer(self, text: str) -> None:
        request = self._session.read(text)
        if not isinstance(request, Subscribe) or await self._is_within_allowance(self._caller):
            if request and not self._leaving:
                self._session.do(request)
        else:
            self._note(self._caller, ByeReason.RATE_LIMITED)
            text = "Too many subscriptions of this token or address lately; try again in a moment"
            self._session.refuse(MessageRefused(ErrorCode.RATE_LIMITED, text, request.id))

    async def _let_in(self) -> Caller | None:
        """None where everybody may connect. Whoever cannot say who he is counts for his address. Raises _Refused."""
        if not self._origins.allows(header(self.scope, b"origin"), header(self.scope, b"host") or ""):
            raise _Refused(ByeReason.ORIGIN_REFUSED, CloseCode.ORIGIN_REFUSED)
        caller, refused = None, None
        try:
            caller = await self._known_caller()
        except _Refused as error:
            refused = error
        if not await self._is_within_allowance(caller):
            refused = _Refused(ByeReason.RATE_LIMITED, CloseCode.RATE_LIMITED)
        if refused:
            self._note(caller, refused.args[0])
            raise refused
        if refusal := self._service.refusal():
            raise _Refused(*refusal)
        return caller

    async def _is_within_allowance(self, caller: Caller | None) -> bool:
        allowance = self._service.allowance
        return allowance is None or await allowance.take(caller, self.scope)

    def _note(self, caller: Caller | None, reason: ByeReason) -> None:
        if self._service.allowance and reason in NOTED:
            self._service.note_refusal(self._service.allowance.who(caller, self.scope), f"ws:{reason}")

    async def _known_caller(self) -> Caller | None:
        """Raises _Refused."""
        try:
            return await self._service.admission.caller(self.scope) if self._service.admission else None
        except TokenExpired as error:
            raise _Refused(ByeReason.TOKEN_EXPIRED, CloseCode.NOT_AUTHENTICATED) from error
        except TokenRefused as error:
            raise _Refused(ByeReason.NOT_AUTHENTICATED, CloseCode.NOT_AUTHENTICATED) from error
        except StoreUnavailable as error:
            raise _Refused(ByeReason.NOT_READY, CloseCode.TRY_AGAIN_LATER) from error

    def _end_with(self, caller: Caller) -> None:
        """At the token's own end; one that was only taken by leeway lasts as long as that."""
        left = caller.expires_at_s - LEEWAY_S - time.time()
        loop = asyncio.get_running_loop()
        self._expiry = loop.call_later(left if left > 0 else left + LEEWAY_S, self._on_expiry)

    def _on_expiry(self) -> None:
        self._service.dismiss(self, ByeReason.TOKEN_EXPIRED, CloseCode.NOT_AUTHENTICATED)

    async def _write(self) -> None:
        now = asyncio.get_running_loop().time
        while True:
            await self._ready.wait()
            self._ready.clear()
            for frame in self._take():
                self._blocked_since = now()
                await self.base_send({"type": "websocket.send", "text": frame})
            self._blocked_since = None
            self._sent.set()

    def _deliver(self) -> None:
        """In the client's turn of a round: at once where nothing is in the way, else by the writer, which can wait."""
        if self._leaving:
            return
        if self._direct is None or self._blocked_since is not None or not self._direct.is_writable():
            self._ready.set()
            return
        for frame in self._take():
            self._direct.write_text(frame)
        self._sent.set()

    def _take(self) -> Sequence[str]:
        return self._outbox.take(rfc3339(self._service.desk.now_ms()))

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
        if self._expiry:
            self._expiry.cancel()


class _Refused(Exception):  # noqa: N818 - never leaves this file
    """Its arguments are those of `dismiss`."""


class NoSuchAddress(WebsocketDenier):  # type: ignore[misc]
    channel_layer_alias = NO_LAYER
