"""How often a token, or else an address, may connect and subscribe: one allowance for all processes."""

import asyncio
from collections.abc import Iterator
from contextlib import AsyncExitStack
from typing import Any

import pytest
from redis import Redis
from websockets.asyncio.client import ClientConnection, connect

from api.client_address import rate_key, scope_address
from realtime.admission import Admission
from realtime.allowance import SharedAllowance
from realtime.protocol import CloseCode
from realtime.service import Service
from settings.config import load_config
from swapstats.adapters.embedded.redis_server import RedisServer
from swapstats.adapters.redis.rate_limiter import RedisRateLimiter
from swapstats.adapters.system.rate_limiter import LocalRateLimiter
from swapstats.bootstrap import token_verifier
from swapstats.ports.rate_limiter import BucketSize, RateLimiter
from tests.parts.live_feed import LiveFeed, traded
from tests.parts.tokens import bearer
from tests.parts.web_socket import ending, hear, say, service_of, serving

pytestmark = pytest.mark.redis

FEW = BucketSize(0.001, 5)
OVER = ("rate_limited", CloseCode.RATE_LIMITED)


def shared(limiter: RateLimiter, size: BucketSize = FEW) -> SharedAllowance:
    return SharedAllowance(lambda: limiter, size, lambda scope: rate_key(scope_address(scope, ())))


def service(limiter: RateLimiter, *, asks_for_tokens: bool = False, **settings: Any) -> Service:
    feed = LiveFeed()
    feed.begin({"1:0xa": traded(1)})
    admission = Admission(token_verifier, lambda: None) if asks_for_tokens else None  # type: ignore[arg-type, return-value]
    return service_of(feed, admission, shared(limiter), **settings)


@pytest.fixture
def limiters(redis_url: str) -> Iterator[list[RateLimiter]]:
    """Those of two processes."""
    with Redis.from_url(redis_url) as one, Redis.from_url(redis_url) as other:
        yield [RedisRateLimiter(client, "test:", LocalRateLimiter()) for client in (one, other)]


async def is_let_in(client: ClientConnection) -> bool:
    message = await client.recv()
    return '"welcome"' in str(message)


async def test_connections_to_two_processes_are_counted_together(limiters: list[RateLimiter]) -> None:
    async with AsyncExitStack() as stack:
        sites = [await stack.enter_async_context(serving(service(limiter))) for limiter in limiters]
        spoofed = {"X-Forwarded-For": "198.51.100.7"}
        clients = [
            await stack.enter_async_context(connect(sites[n % 2].url, additional_headers=spoofed)) for n in range(5)
        ]
        assert [await is_let_in(client) for client in clients] == [True] * 5
        for site in sites:
            async with connect(site.url, additional_headers={"X-Forwarded-For": "198.51.100.8"}) as client:
                assert await ending(client) == OVER
            assert len(site.service.clients) <= 3


async def test_each_token_has_its_own_and_refused_ones_count_for_the_address(limiters: list[RateLimiter]) -> None:
    async with serving(service(limiters[0], asks_for_tokens=True)) as running:
        for _ in range(5):
            async with connect(running.url, additional_headers=bearer("one")) as client:
                assert await is_let_in(client)
        async with connect(running.url, additional_headers=bearer("one")) as client:
            assert await ending(client) == OVER
        async with connect(running.url, additional_headers=bearer("other")) as client:
            assert await is_let_in(client)
        ends = []
        for number in range(6):
            async with connect(running.url, additional_headers={"Authorization": f"Bearer {number}"}) as client:
                ends.append(await ending(client))
        assert ends == [("not_authenticated", CloseCode.NOT_AUTHENTICATED)] * 5 + [OVER]


async def test_subscribe_messages_count_and_others_do_not(limiters: list[RateLimiter]) -> None:
    async with serving(service(limiters[0])) as running, connect(running.url) as client:
        await hear(client, "welcome")
        for number in range(4):
            await say(client, subscribe=["token:USDC", "overview:5m"], id=number)
            assert (await hear(client, "subscribed"))["id"] == number
        await say(client, subscribe="token:USDC", id=4)
        error = await hear(client, "error")
        assert (error["code"], error["id"]) == ("rate_limited", 4)
        for number in range(10):
            await say(client, ping=number)
            assert (await hear(client, "pong"))["ping"] == number
        await say(client, list=True)
        assert len((await hear(client, "subscriptions"))["topics"]) == 2
        await say(client, unsubscribe="token:USDC")
        await hear(client, "unsubscribed")


async def test_without_redis_each_process_counts_itself(own_redis: RedisServer) -> None:
    with Redis.from_url(own_redis.url(), socket_timeout=0.2, socket_connect_timeout=0.2) as client:
        limiter = RedisRateLimiter(client, "test:", LocalRateLimiter())
        own_redis.kill()
        async with serving(service(limiter)) as running:
            for _ in range(5):
                async with connect(running.url) as connection:
                    assert await is_let_in(connection)
            async with connect(running.url) as connection:
                assert await ending(connection) == OVER


class Slow(LocalRateLimiter):
    """Whoever subscribes has left before it answers."""

    def __init__(self) -> None:
        super().__init__()
        self.asked, self.may_answer = asyncio.Event(), asyncio.Event()
        self._loop = asyncio.get_running_loop()

    def take(self, key: str, size: BucketSize, cost: int = 1) -> Any:
        if self._full_at:
            self._loop.call_soon_threadsafe(self.asked.set)
            asyncio.run_coroutine_threadsafe(self.may_answer.wait(), self._loop).result(20)
        return super().take(key, size, cost)


async def test_who_leaves_while_being_counted_follows_nothing() -> None:
    limiter = Slow()
    async with serving(service(limiter)) as running:
        client = await connect(running.url)
        await say(client, subscribe="token:USDC")
        await limiter.asked.wait()
        client.transport.abort()
        running.service.dismiss(next(iter(running.service.clients)), *OVER)  # type: ignore[arg-type]
        limiter.may_answer.set()
        while running.server.server_state.connections:
            await asyncio.sleep(0.01)
        assert running.service.hub.streams == 0
        assert not running.service.clients


def test_all_clients_of_a_process_may_come_back_at_once() -> None:
    """Each connects and subscribes, be it all with one token or through one gateway."""
    config = load_config()
    assert config.rate_limit.websocket.burst >= 6 * config.api.ws.max_conn
