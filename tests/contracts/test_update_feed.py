"""The update feed's contract, as ports/update_feed.py says it, over Channels' layer on a real Redis."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager

import pytest
from channels_redis.pubsub import RedisPubSubChannelLayer

from realtime.stopping import stop
from settings.channel_layer import RESP
from swapstats.adapters.embedded.redis_server import RedisServer
from swapstats.adapters.redis.update_feed import (
    GROUP,
    MAX_MESSAGE_BYTES,
    MAX_STEP_BYTES,
    MESSAGE_TYPE,
    ChannelLayerReceiver,
    ChannelLayerSender,
    messages,
    read_message,
)
from swapstats.ports.live_store import LiveMeta, Step
from swapstats.ports.update_feed import Tick

pytestmark = pytest.mark.redis

WAIT_SECONDS = 20


class Inbox:
    """What a receiver has got so far."""

    def __init__(self, layer: RedisPubSubChannelLayer) -> None:
        self.layer = layer
        self.ticks: list[Tick] = []

    async def collect(self) -> None:
        async for tick in ChannelLayerReceiver(self.layer).ticks():
            self.ticks.append(tick)

    async def until(self, condition: Callable[[list[Tick]], bool], act: Callable[[], None] = lambda: None) -> None:
        async with asyncio.timeout(WAIT_SECONDS):
            while not condition(self.ticks):
                act()
                await asyncio.sleep(0.02)


@pytest.fixture
def sender(redis_url: str) -> Iterator[ChannelLayerSender]:
    sender = ChannelLayerSender(layer(redis_url))
    yield sender
    sender.close()


def layer(url: str) -> RedisPubSubChannelLayer:
    return RedisPubSubChannelLayer(hosts=[{"address": url, "protocol": RESP}], prefix="test")


@asynccontextmanager
async def listening(url: str) -> AsyncIterator[Inbox]:
    inbox = Inbox(layer(url))
    task = asyncio.create_task(inbox.collect())
    yield inbox
    await stop({task})


async def joined(inbox: Inbox, sender: ChannelLayerSender) -> None:
    """Until the subscription stands, ticks are lost; that is what at most once means."""
    await inbox.until(
        lambda ticks: any(tick.worker == "probe" for tick in ticks), lambda: sender.send(tick_of("probe", 1))
    )


def tick_of(worker: str, *sizes: int) -> Tick:
    meta = LiveMeta("e1", 2, 1_000, 20, 0, "5m/300000/5000")
    return Tick("log", worker, [Step(n, 1, meta, {f"1:{n}": b"x" * size}, [], []) for n, size in enumerate(sizes)])


def told(ticks: list[Tick]) -> list[Tick]:
    return [tick for tick in ticks if tick.worker != "probe"]


async def test_every_listener_hears_every_tick_in_order(redis_url: str, sender: ChannelLayerSender) -> None:
    async with listening(redis_url) as one, listening(redis_url) as other:
        for inbox in (one, other):
            await joined(inbox, sender)
        sent = [tick_of(f"w{number}", 10, 20) for number in range(20)]
        for tick in sent:
            sender.send(tick)
        for inbox in (one, other):
            await inbox.until(lambda ticks: len(told(ticks)) == len(sent))
            assert told(inbox.ticks) == sent


async def test_steps_arrive_as_they_were(redis_url: str, sender: ChannelLayerSender) -> None:
    meta = LiveMeta("e1", 7, 1_700_000_000_100, 2**40, 5, "5m/300000/5000")
    tick = Tick("log", "w", [Step(3, 6, meta, {"1:ä": b"\x00\xff"}, ["1:b"], ["1:b", "1:ä"], whole=True)])
    async with listening(redis_url) as inbox:
        await joined(inbox, sender)
        sender.send(tick)
        await inbox.until(lambda ticks: bool(told(ticks)))
        assert told(inbox.ticks) == [tick]
        assert isinstance(told(inbox.ticks)[0].steps[0].meta, LiveMeta)


def test_a_large_tick_goes_in_several_messages_of_whole_steps() -> None:
    tick = tick_of("w", *[200_000] * 7)
    parts = list(messages(tick))
    assert len(parts) == 4
    assert all(len(data) <= MAX_MESSAGE_BYTES for data in parts)
    read = [read_message({"type": MESSAGE_TYPE, "data": data}) for data in parts]
    assert [step for part in read for step in part.steps] == tick.steps
    assert {(part.source, part.worker) for part in read} == {("log", "w")}


def test_a_step_too_large_for_the_feed_is_left_out() -> None:
    tick = tick_of("w", 10, MAX_STEP_BYTES, 10)
    (data,) = messages(tick)
    assert [step.partition for step in read_message({"data": data}).steps] == [0, 2]


@pytest.mark.parametrize("message", [{"type": "x"}, {"data": b"\x93\x01"}, {"data": b""}, {"data": 7}, [1], None])
def test_what_is_no_tick_is_passed_over(message: object) -> None:
    assert read_message(message) is None


async def test_a_stranger_in_the_group_does_no_harm(redis_url: str, sender: ChannelLayerSender) -> None:
    async with listening(redis_url) as inbox:
        await joined(inbox, sender)
        stranger = layer(redis_url)
        await stranger.group_send(GROUP, {"type": "chat.message", "text": "hello"})
        await stranger.flush()
        sender.send(tick_of("w", 1))
        await inbox.until(lambda ticks: bool(told(ticks)))


async def test_sender_and_receiver_outlive_their_redis(own_redis: RedisServer) -> None:
    sender = ChannelLayerSender(layer(own_redis.url()))
    async with listening(own_redis.url()) as inbox:
        await joined(inbox, sender)
        own_redis.kill()
        await inbox.until(lambda _: sender.dropped > 0, lambda: sender.send(tick_of("while away", 1)))
        own_redis.start()
        await inbox.until(
            lambda ticks: any(tick.worker == "back" for tick in ticks), lambda: sender.send(tick_of("back", 1))
        )
    sender.close()


async def test_a_receiver_waits_for_a_redis_that_is_not_there_yet(own_redis: RedisServer) -> None:
    own_redis.stop()
    async with listening(own_redis.url()) as inbox:
        own_redis.start()
        sender = ChannelLayerSender(layer(own_redis.url()))
        await joined(inbox, sender)
        sender.close()


async def test_a_sender_never_waits_for_a_redis_that_hangs(own_redis: RedisServer) -> None:
    """The oldest ticks are dropped, and counted; the latest are kept."""
    sender = ChannelLayerSender(layer(own_redis.url()))
    own_redis.pause()
    for number in range(200):
        sender.send(tick_of(f"w{number}", 1))
    assert sender.dropped >= 130
    sender.close()
    own_redis.process.resume()


def test_closing_sends_what_is_queued(redis_url: str) -> None:
    sender = ChannelLayerSender(layer(redis_url))
    for number in range(30):
        sender.send(tick_of(f"w{number}", 100))
    sender.close()
    assert (sender.sent, sender.dropped) == (30, 0)
    with pytest.raises(ValueError, match="closed"):
        sender.send(tick_of("late"))
