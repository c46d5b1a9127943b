"""The live view follows what workers publish, through a real Redis: loads, ticks, lost messages, lost stores."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager

import pytest
import redis
from channels_redis.pubsub import RedisPubSubChannelLayer
from redis.asyncio import Redis

from realtime.feed import ViewFeed
from realtime.view import LiveView
from settings.config import RedisStore
from swapstats.adapters.embedded.redis_server import RedisServer
from swapstats.adapters.redis.checkpoint_store import RedisCheckpointStore
from swapstats.adapters.redis.live_store import RedisLiveReader, RedisLiveWriter
from swapstats.adapters.redis.session import RedisSession
from swapstats.adapters.redis.update_feed import ChannelLayerReceiver, ChannelLayerSender
from swapstats.domain.errors import ViewNotReady
from swapstats.domain.part_codec import encode_part
from swapstats.ports.live_store import LiveMeta, Step, describe_windows
from swapstats.ports.swap_source import SourceIdentity
from swapstats.ports.update_feed import Tick
from tests.parts.live_feed import WINDOWS, traded

pytestmark = pytest.mark.redis

PREFIX = "test:"
WAIT_SECONDS = 30
CHECK_SECONDS = 0.3


class Worker:
    """What a worker does at each tick: write the step, then tell it."""

    def __init__(self, url: str, log: str = "raw-swaps", live_epoch: str = "e1") -> None:
        source = SourceIdentity("cluster", log, "")
        self.session = session = RedisSession.open(RedisStore(url=url))
        self.checkpoints = RedisCheckpointStore(session, PREFIX, source, ttl_ms=60_000)
        self.live = RedisLiveWriter(session, PREFIX, source)
        self.sender = ChannelLayerSender(RedisPubSubChannelLayer(hosts=[url]))
        self.source = source.key
        self.live_epoch = live_epoch
        self.epochs: dict[int, int] = {}
        self.seqs: dict[int, int] = {}

    def tick(self, parts: dict[str, int], *, partition: int = 0, tell: bool = True, whole: bool = False) -> None:
        """`parts`: token to number of buys."""
        if partition not in self.epochs:
            self.epochs[partition] = self.checkpoints.take(partition, "worker").epoch
        before = self.seqs.get(partition, 0)
        self.seqs[partition] = before + bool(parts)
        seconds, microseconds = map(int, self.session.command("TIME"))
        now_ms = seconds * 1000 + microseconds // 1000
        meta = LiveMeta(self.live_epoch, self.seqs[partition], now_ms, 0, 0, describe_windows(WINDOWS))
        encoded = {token: encode_part(traded(buys)) for token, buys in parts.items()}
        step = Step(partition, before, meta, encoded, [], [], whole)
        self.live.publish([step], self.epochs)
        if tell:
            self.sender.send(Tick(self.source, "worker", [step]))


@asynccontextmanager
async def feeding(url: str, check_seconds: float = CHECK_SECONDS) -> AsyncIterator[ViewFeed]:
    feed = ViewFeed(
        LiveView(),
        lambda: RedisLiveReader(Redis.from_url(url, socket_timeout=2), PREFIX),
        lambda: ChannelLayerReceiver(RedisPubSubChannelLayer(hosts=[url])),
        check_seconds,
    )
    task = asyncio.create_task(feed.run())
    yield feed
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


@pytest.fixture
def worker(redis_url: str) -> Iterator[Worker]:
    worker = Worker(redis_url)
    yield worker
    worker.sender.close()


async def until(condition: Callable[[], bool], act: Callable[[], None] = lambda: None) -> None:
    async with asyncio.timeout(WAIT_SECONDS):
        while not condition():
            act()
            await asyncio.sleep(0.02)


def buys(feed: ViewFeed, token: str) -> int | None:
    try:
        view = feed.view.token(token)
    except ViewNotReady:
        return None
    return view.part.windows[0].buys if view else 0


async def test_a_view_begins_with_what_was_published_before(worker: Worker, redis_url: str) -> None:
    worker.tick({"1:a": 5})
    worker.tick({"1:b": 7}, partition=3)
    async with feeding(redis_url) as feed:
        await until(lambda: buys(feed, "1:a") == 5)
        assert buys(feed, "1:b") == 7
        assert feed.health().trouble is None


async def test_a_view_is_loaded_though_nobody_ever_published(redis_url: str) -> None:
    async with feeding(redis_url) as feed:
        await until(lambda: feed.health().is_loaded)
        assert feed.view.token("1:a") is None
        assert feed.health().lag_ms is None


async def test_ticks_arrive(worker: Worker, redis_url: str) -> None:
    async with feeding(redis_url, check_seconds=60) as feed:
        worker.tick({"1:a": 1})
        await until(lambda: buys(feed, "1:a") == 1, lambda: worker.tick({}))
        for number in range(2, 20):
            worker.tick({"1:a": number})
            await until(lambda number=number: buys(feed, "1:a") == number, lambda: worker.tick({}))
        assert feed.health().lag_ms < 10_000


async def test_a_lost_message_is_a_delay_and_no_error(worker: Worker, redis_url: str) -> None:
    worker.tick({"1:a": 1, "1:b": 1})
    async with feeding(redis_url, check_seconds=60) as feed:
        await until(lambda: feed.health().ticks > 0, lambda: worker.tick({}))
        worker.tick({"1:b": 2}, tell=False)
        worker.tick({"1:a": 2})
        await until(lambda: (buys(feed, "1:a"), buys(feed, "1:b")) == (2, 2), lambda: worker.tick({}))
        assert feed.health().reloads >= 1


async def test_a_lost_last_message_is_noticed_too(worker: Worker, redis_url: str) -> None:
    worker.tick({"1:a": 1})
    async with feeding(redis_url) as feed:
        await until(lambda: buys(feed, "1:a") == 1)
        worker.tick({"1:a": 2}, tell=False)
        await until(lambda: buys(feed, "1:a") == 2)


async def test_new_partitions_are_noticed(worker: Worker, redis_url: str) -> None:
    worker.tick({"1:a": 1})
    async with feeding(redis_url) as feed:
        await until(lambda: buys(feed, "1:a") == 1)
        worker.tick({"1:b": 1}, partition=9, tell=False)
        await until(lambda: buys(feed, "1:b") == 1)


async def test_another_live_epoch_is_followed(worker: Worker, redis_url: str) -> None:
    worker.tick({"1:a": 5, "1:b": 5})
    async with feeding(redis_url) as feed:
        await until(lambda: buys(feed, "1:a") == 5)
        successor = Worker(redis_url, live_epoch="e2")
        successor.tick({"1:a": 1}, whole=True)
        await until(lambda: (buys(feed, "1:a"), buys(feed, "1:b")) == (1, 0))
        assert feed.view.token("1:a").epoch == "e2"
        successor.sender.close()


async def test_another_log_is_followed(worker: Worker, redis_url: str) -> None:
    worker.tick({"1:a": 5})
    async with feeding(redis_url) as feed:
        await until(lambda: buys(feed, "1:a") == 5)
        other = Worker(redis_url, log="other")
        other.tick({"1:x": 1})
        await until(lambda: (buys(feed, "1:a"), buys(feed, "1:x")) == (0, 1))
        other.sender.close()


async def test_a_store_that_was_emptied_leaves_the_last_view(worker: Worker, redis_url: str) -> None:
    worker.tick({"1:a": 5})
    async with feeding(redis_url) as feed:
        await until(lambda: buys(feed, "1:a") == 5)
        with redis.Redis.from_url(redis_url) as client:
            client.flushall()
        ticks = feed.health().ticks
        reborn = Worker(redis_url, live_epoch="e2")
        assert buys(feed, "1:a") == 5
        reborn.tick({"1:a": 6}, whole=True)
        await until(lambda: buys(feed, "1:a") == 6)
        assert feed.health().ticks >= ticks
        reborn.sender.close()


async def test_a_feed_that_is_stopped_at_any_moment_leaves_nothing_behind(worker: Worker, redis_url: str) -> None:
    worker.tick({"1:a": 1})
    for steps in range(0, 60, 2):
        async with feeding(redis_url):
            for _ in range(steps):
                await asyncio.sleep(0)
        assert asyncio.all_tasks() == {asyncio.current_task()}, f"after {steps} steps"


async def test_the_view_outlives_its_redis(own_redis: RedisServer) -> None:
    worker = Worker(own_redis.url())
    worker.tick({"1:a": 5})
    async with feeding(own_redis.url()) as feed:
        await until(lambda: buys(feed, "1:a") == 5)
        own_redis.kill()
        await until(lambda: feed.health().trouble is not None)
        assert buys(feed, "1:a") == 5
        own_redis.start()
        reborn = Worker(own_redis.url(), live_epoch="e2")
        reborn.tick({"1:a": 6}, whole=True)
        await until(lambda: buys(feed, "1:a") == 6 and feed.health().trouble is None)
        ticks = feed.health().ticks
        await until(lambda: feed.health().ticks > ticks, lambda: reborn.tick({}))
        reborn.sender.close()
        worker.sender.close()
