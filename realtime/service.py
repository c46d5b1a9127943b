"""All WebSocket clients of one process: who is let in, when changes go out, and how everybody is sent home."""

import asyncio
import logging
import time
from asyncio import AbstractEventLoop, Handle, TimerHandle
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from typing import Protocol

from realtime import metrics
from realtime.admission import Admission
from realtime.allowance import SharedAllowance
from realtime.hub import Hub
from realtime.latency import FrameLatency
from realtime.outbox import Outbox
from realtime.protocol import ByeReason, CloseCode, Limits
from realtime.ranking import Ranking
from realtime.session import Desk
from realtime.topics import Topics
from realtime.view import LiveView
from settings.config import WebSocket

log = logging.getLogger(__name__)

GATHER_SHARE = 0.1
"""How much of a tick is waited after the first change, so that the messages of all workers go out together."""
AT_ONCE = 100
"""How many clients are told before others get the event loop."""
SWEEP_S = 1.0
LEAVE_PER_SECOND = 2_000
"""How many clients a second are told to go at a shutdown, so that they do not come back all at once."""


def wall_clock_ms() -> int:
    return time.time_ns() // 1_000_000


class Client(Protocol):
    def blocked_s(self, now: float) -> float:
        """For how long its current send has been waiting, 0 if none is."""

    def is_welcome(self) -> bool:
        """Whether its token is not one that was revoked."""

    async def dismiss(self, reason: ByeReason, code: CloseCode) -> None:
        """Say bye and close; bounded in time."""


class Service:
    """Attached to the event loop of its clients, from the first one that comes to the last that leaves. Without an
    `admission` everybody may come in; without an `allowance` as often as they like.
    `note_refusal` hears who was refused, and why."""

    def __init__(
        self,
        view: LiveView,
        ranking: Ranking,
        windows: Sequence[str],
        settings: WebSocket,
        now_ms: Callable[[], int] = wall_clock_ms,
        admission: Admission | None = None,
        allowance: SharedAllowance | None = None,
        note_refusal: Callable[[str, str], None] = lambda who, why: None,
    ) -> None:
        self.settings = settings
        self.admission = admission
        self.allowance = allowance
        self.note_refusal = note_refusal
        self.hub = Hub(view)
        metrics.CLIENTS_LIMIT.set(settings.max_conn)
        limits = Limits(settings.max_conn, settings.max_subscriptions, int(settings.max_message_bytes))
        self.desk = Desk(view, self.hub, Topics(view, ranking, windows), limits, settings.coalesce_ms, now_ms)
        self.draining = False
        self.clients: set[Client] = set()
        self._dismissals: set[asyncio.Task[None]] = set()
        self._detach: Callable[[], None] | None = None

    def refusal(self) -> tuple[ByeReason, CloseCode] | None:
        """Why no further client is let in now, if so."""
        if self.draining:
            return ByeReason.SERVER_SHUTDOWN, CloseCode.GOING_AWAY
        if len(self.clients) >= self.settings.max_conn:
            return ByeReason.TOO_MANY_CONNECTIONS, CloseCode.TRY_AGAIN_LATER
        return None

    def enter(self, client: Client) -> None:
        self.clients.add(client)
        metrics.CLIENTS.inc()
        if self._detach is None:
            self._detach = _Ticker(self, asyncio.get_running_loop()).stop

    def leave(self, client: Client) -> None:
        if client not in self.clients:
            return
        self.clients.discard(client)
        metrics.CLIENTS.dec()
        if not self.clients and self._detach:
            self._detach()
            self._detach = None

    def sweep(self, now: float) -> None:
        """Send away whoever has not taken what was sent for too long, or whose token was revoked."""
        limit = self.settings.slow_timeout_ms / 1000
        for client in [client for client in self.clients if client.blocked_s(now) > limit]:
            self.dismiss(client, ByeReason.SLOW_CONSUMER, CloseCode.SLOW_CONSUMER)
        for client in [client for client in self.clients if not client.is_welcome()]:
            self.dismiss(client, ByeReason.TOKEN_REVOKED, CloseCode.NOT_AUTHENTICATED)

    async def drain(self) -> None:
        """Let nobody in any more and send everybody home, a few at a time."""
        self.draining = True
        while self.clients:
            for client in list(self.clients)[: LEAVE_PER_SECOND // 20]:
                self.dismiss(client, ByeReason.SERVER_SHUTDOWN, CloseCode.GOING_AWAY)
            await asyncio.sleep(1 / 20)
        await asyncio.gather(*self._dismissals, return_exceptions=True)

    def dismiss(self, client: Client, reason: ByeReason, code: CloseCode) -> None:
        self.leave(client)
        task = asyncio.get_running_loop().create_task(client.dismiss(reason, code))
        self._dismissals.add(task)
        task.add_done_callback(self._dismissals.discard)


class _Ticker:
    """Flushes the hub soon after something changed, at most once per tick, and sweeps every second."""

    def __init__(self, service: Service, loop: AbstractEventLoop) -> None:
        self._service = service
        self._hub = service.hub
        self._loop = loop
        self._tick_s = service.settings.coalesce_ms / 1000
        self._last = loop.time() - self._tick_s
        self._flush: TimerHandle | None = None
        self._telling: Handle | None = None
        self._again = False
        self._latency = FrameLatency(service.desk.view)
        self._unsubscribe = service.desk.view.subscribe(self._hear)
        self._sweep = loop.call_later(SWEEP_S, self._on_sweep)

    def stop(self) -> None:
        self._unsubscribe()
        self._sweep.cancel()
        for handle in (self._flush, self._telling):
            if handle:
                handle.cancel()

    def _hear(self, token_ids: frozenset[str]) -> None:
        """Called in the feed's thread."""
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._note, token_ids)

    def _note(self, token_ids: frozenset[str]) -> None:
        if not self._hub.note(token_ids):
            return
        if self._telling:
            self._again = True
        elif self._flush is None:
            self._plan(GATHER_SHARE * self._tick_s)

    def _plan(self, in_s: float) -> None:
        self._flush = self._loop.call_at(max(self._loop.time() + in_s, self._last + self._tick_s), self._on_flush)

    def _on_flush(self) -> None:
        self._flush = None
        self._last = self._loop.time()
        self._latency.note(self._hub.due_tokens(), self._service.desk.now_ms())
        if dropped := self._hub.flush():
            metrics.DROPPED.inc(dropped)
        metrics.STREAMS.set(self._hub.streams)
        self._tell(iter(self._hub.round()))

    def _tell(self, outboxes: Iterator[Outbox]) -> None:
        """The round: a few clients, then whoever else wants the loop, then the next few. A round that takes longer than
        a tick is not overtaken by the next one; clients then get fewer, newer values."""
        few = list(islice(outboxes, AT_ONCE))
        for outbox in few:
            _deliver(outbox)
        self._telling = self._loop.call_soon(self._tell, outboxes) if len(few) == AT_ONCE else None
        if self._telling is None:
            metrics.FLUSH.observe((self._loop.time() - self._last) * 1000)
            if self._again:
                self._again = False
                self._plan(0)  # what came during the round has waited long enough

    def _on_sweep(self) -> None:
        """Also looks after streams that waited for the live view, for whom nothing changed."""
        self._sweep = self._loop.call_later(SWEEP_S, self._on_sweep)
        self._service.sweep(self._loop.time())
        self._latency.forget_all_but(self._hub.followed_tokens())
        self._note(frozenset())


def _deliver(outbox: Outbox) -> None:
    try:
        outbox.deliver()
    except Exception:
        log.exception("a client could not be told; the others are")
