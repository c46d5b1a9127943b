"""The update feed over Channels' layer on Redis pub/sub: one group, one channel per web process.

Delivery is at most once. The sender has a thread and a loop of its own, for the worker is synchronous and must never
wait for the feed. On a loop that it runs on, the receiver is the layer's only user.
"""

import asyncio
import logging
from collections import deque
from collections.abc import AsyncGenerator, Iterator
from contextlib import aclosing
from threading import Event, Thread
from typing import Any

import msgspec
from channels.layers import BaseChannelLayer
from redis.exceptions import RedisError

from swapstats.metrics import stores as metrics
from swapstats.ports.live_store import Step
from swapstats.ports.update_feed import Tick

log = logging.getLogger(__name__)

GROUP = "swapstats.live"
MESSAGE_TYPE = "live.tick"
MAX_MESSAGE_BYTES = 512 * 1024
"""A tick goes in several messages of about this size, of whole steps, each of use without the others."""
MAX_STEP_BYTES = 8 * 1024 * 1024
"""A step above this is left out, for readers to load: Redis cuts off subscribers that are tens of megabytes behind."""
MAX_QUEUE = 64
SEND_SECONDS = 5
CLOSE_SECONDS = 2
RETRY_SECONDS = 1

_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(Tick)


class ChannelLayerSender:
    """Sends ticks in the order given, the latest 64 while the layer is slow. `sent` counts ticks that went out whole,
    `dropped` those that did not."""

    def __init__(self, layer: "BaseChannelLayer") -> None:
        self.sent = 0
        self.dropped = 0
        self._layer = layer
        self._queue: deque[Tick] = deque()
        self._closing = False
        self._failing = False
        self._ready = Event()
        self._thread = Thread(target=lambda: asyncio.run(self._pump()), name="update-sender", daemon=True)
        self._thread.start()
        self._ready.wait()

    def send(self, tick: Tick) -> None:
        if self._closing:
            raise ValueError("the sender is closed")
        if len(self._queue) >= MAX_QUEUE:
            self._queue.popleft()
            self._note_dropped()
        self._queue.append(tick)
        self._loop.call_soon_threadsafe(self._wake.set)

    def close(self) -> None:
        if not self._closing:
            self._closing = True
            self._loop.call_soon_threadsafe(self._wake.set)
        self._thread.join(CLOSE_SECONDS)

    async def _pump(self) -> None:
        self._loop, self._wake = asyncio.get_running_loop(), asyncio.Event()
        self._ready.set()
        while True:
            await self._wake.wait()
            self._wake.clear()
            while self._queue:
                await self._deliver(self._queue.popleft())
            if self._closing:
                return

    async def _deliver(self, tick: Tick) -> None:
        try:
            async with asyncio.timeout(SEND_SECONDS):
                for data in messages(tick):
                    await self._layer.group_send(GROUP, {"type": MESSAGE_TYPE, "data": data})
        except (RedisError, OSError) as error:  # TimeoutError is one
            self._note_failure(error)
        else:
            self._note_success()

    def _note_dropped(self) -> None:
        self.dropped += 1
        metrics.UPDATES_DROPPED.inc()

    def _note_failure(self, error: Exception) -> None:
        self._note_dropped()
        if not self._failing:
            log.warning("updates do not reach the channel layer: %s", error or type(error).__name__)
        self._failing = True

    def _note_success(self) -> None:
        self.sent += 1
        metrics.UPDATES_SENT.inc()
        if self._failing:
            log.info("updates reach the channel layer again")
        self._failing = False


class ChannelLayerReceiver:
    def __init__(self, layer: "BaseChannelLayer") -> None:
        self._layer = layer

    async def ticks(self) -> AsyncGenerator[Tick, None]:
        while True:
            try:
                async with aclosing(self._messages()) as received:
                    async for message in received:
                        if tick := read_message(message):
                            yield tick
            except (RedisError, OSError) as error:
                log.warning("cannot listen to the channel layer: %s", error or type(error).__name__)
                await asyncio.sleep(RETRY_SECONDS)

    async def _messages(self) -> AsyncGenerator[Any, None]:
        """The layer itself resumes a subscription that broke; only the first one may fail."""
        try:
            channel = await self._layer.new_channel()
            await self._layer.group_add(GROUP, channel)
            while True:
                yield await self._layer.receive(channel)
        finally:
            await self._layer.flush()


def messages(tick: Tick) -> Iterator[bytes]:
    """The tick in messages of bounded size."""
    steps: list[Step] = []
    size = 0
    for step in tick.steps:
        more = _size(step)
        if more > MAX_STEP_BYTES:
            log.info("a step of partition %d has %d bytes; readers load it", step.partition, more)
            continue
        if steps and size + more > MAX_MESSAGE_BYTES:
            yield _encoder.encode(tick._replace(steps=steps))
            steps, size = [], 0
        steps.append(step)
        size += more
    if steps:
        yield _encoder.encode(tick._replace(steps=steps))


def read_message(message: Any) -> Tick | None:
    """None, with a line in the log, for what no worker of this version sends."""
    try:
        return _decoder.decode(message["data"])
    except (msgspec.DecodeError, KeyError, TypeError) as error:
        log.warning("the channel layer carried something else than a tick: %s", error)
        return None


def _size(step: Step) -> int:
    return sum(len(token_id) + len(data) + 10 for token_id, data in step.parts.items()) + 50 * len(step.gone) + 200
