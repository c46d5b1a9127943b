"""The Python client against a real server: killed, restarted, losing messages, asking for tokens."""

import asyncio
import json
import signal
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from websockets.asyncio.client import connect
from websockets.asyncio.server import ServerConnection, serve

from realtime.admission import Admission
from realtime.service import Service
from realtime.stats_body import stats_body
from swapstats.adapters.embedded.redis_server import RedisServer
from swapstats.adapters.jwt.keys import SharedSecret
from swapstats.adapters.jwt.verifier import JwtVerifier
from swapstats.ports.ticket_store import TicketStore
from swapstats_client import Refused, SwapStats, Token, Update
from tests.parts.live_feed import LiveFeed, traded
from tests.parts.publisher import Publisher
from tests.parts.tokens import token
from tests.parts.web_process import WebProcess
from tests.parts.web_socket import PATIENCE_S, service_of, serving, until

USDC, WETH = "1:0xa0b8", "1:0xc02a"


@pytest.fixture
def feed() -> LiveFeed:
    feed = LiveFeed()
    feed.begin({USDC: traded(1), WETH: traded(2, symbol="WETH")})
    return feed


def client_of(url: str, **options: Any) -> SwapStats:
    return SwapStats(url, first_delay=0.05, longest_delay=0.2, **options)


async def until_trades(updates: AsyncIterator[Update], trades: int) -> Update:
    async with asyncio.timeout(PATIENCE_S):
        async for update in updates:
            if update.data["windows"]["5m"]["trades"] == trades:
                return update
    raise AssertionError("the updates ended")


async def test_updates_are_whole_and_what_the_api_says(feed: LiveFeed) -> None:
    async with serving(service_of(feed)) as running, client_of(running.url) as client:
        updates = client.follow("token:USDC")
        first = await until_trades(updates, 1)
        assert first.data == stats_body(feed.view.opening(USDC), 1)
        feed.step({USDC: traded(1, 4)})
        update = await until_trades(updates, 5)
        assert update.data == stats_body(feed.view.opening(USDC), 1)


async def test_many_topics_with_their_own_options(feed: LiveFeed) -> None:
    async with serving(service_of(feed)) as running, client_of(running.url) as client:
        short = await until_trades(client.follow("token:USDC", windows=["5m"]), 1)
        assert list(short.data["windows"]) == ["5m"]
        assert list((await until_trades(client.follow("token:WETH"), 2)).data["windows"]) == ["5m", "1h", "24h"]
        async for update in client.follow("overview:5m", limit=1, sort="trades"):
            assert update.data["ranking"] == [WETH]
            break


async def test_a_correction_is_told(feed: LiveFeed) -> None:
    async with serving(service_of(feed)) as running, client_of(running.url) as client:
        updates = client.follow("token:USDC")
        await until_trades(updates, 1)
        feed.step({USDC: traded(0, 3)}, reorged=[USDC])
        assert (await until_trades(updates, 3)).reason == "reorg"


async def test_a_refused_topic_raises_in_its_reader_alone(feed: LiveFeed) -> None:
    async with serving(service_of(feed)) as running, client_of(running.url) as client:
        with pytest.raises(Refused) as refused:
            await until_trades(client.follow("token:NOSUCH"), 1)
        assert refused.value.code == "unknown_symbol"
        await until_trades(client.follow("token:USDC"), 1)


@pytest.mark.redis
async def test_a_server_that_is_killed_and_started_again_is_found_again(
    redis_server: RedisServer, redis_url: str, tmp_path: Path
) -> None:
    store, layer = redis_server.url(2), redis_server.url(3)
    with Publisher(store, layer) as worker, WebProcess(tmp_path, store, layer) as web:
        worker.publish({USDC: traded(1)}, whole=True)
        async with client_of(web.socket_url) as client:
            updates = client.follow(f"token:{USDC}")
            first = await until_trades(updates, 1)
            web.stop(signal.SIGKILL)
            await until(lambda: not client.is_connected)
            worker.publish({USDC: traded(2)})
            await asyncio.to_thread(web.start)
            second = await until_trades(updates, 2)
            assert (second.epoch, second.seq) == (first.epoch, first.seq + 1)
            worker.publish({USDC: traded(3)})
            await until_trades(updates, 3)


async def test_a_lost_patch_is_noticed_and_mended(feed: LiveFeed) -> None:
    async with (
        serving(service_of(feed)) as running,
        losing_a_patch(running.url) as (url, asked, lost),
        client_of(url) as client,
    ):
        updates = client.follow("token:USDC")
        await until_trades(updates, 1)
        feed.step({USDC: traded(2)})
        await until(lambda: lost)
        feed.step({USDC: traded(3)})
        await until_trades(updates, 3)
        feed.step({USDC: traded(4)})
        await until_trades(updates, 4)
        assert sum("subscribe" in json.loads(text) for text in asked) == 2


@asynccontextmanager
async def losing_a_patch(url: str) -> AsyncIterator[tuple[str, list[str], list[str]]]:
    """Between client and server, and drops the first frame of patches. Gives what the client asked and what it lost."""
    asked: list[str] = []
    lost: list[str] = []

    async def between(client: ServerConnection) -> None:
        async with connect(url) as server:

            async def down() -> None:
                async for text in server:
                    if not lost and json.loads(text)["type"] == "patches":
                        lost.append(str(text))
                    else:
                        await client.send(text)

            task = asyncio.create_task(down())
            async for text in client:
                asked.append(str(text))
                await server.send(text)
            task.cancel()

    async with serve(between, "127.0.0.1", 0, subprotocols=["swapstats.v1"]) as proxy:  # type: ignore[list-item]
        yield f"ws://127.0.0.1:{proxy.sockets[0].getsockname()[1]}/ws", asked, lost


async def test_a_token_that_ends_is_renewed(feed: LiveFeed) -> None:
    given: list[int] = []

    async def credentials() -> Token:
        given.append(int(time.time()) + (60 if given else 2))
        return Token(token(exp=given[-1]))

    async with serving(guarded(feed)) as running, client_of(running.url, credentials=credentials) as client:
        updates = client.follow("token:USDC")
        await until_trades(updates, 1)
        await until(lambda: len(given) == 2 and client.is_connected)
        feed.step({USDC: traded(2)})
        await until_trades(updates, 2)


async def test_a_client_without_credentials_is_told_where_they_are_asked_for(feed: LiveFeed) -> None:
    async with serving(guarded(feed)) as running, client_of(running.url) as client:
        with pytest.raises(Refused) as refused:
            await until_trades(client.follow("token:USDC"), 1)
        assert refused.value.code == "not_authenticated"
        with pytest.raises(Refused):
            await until_trades(client.follow("token:WETH"), 2)


def guarded(feed: LiveFeed) -> Service:
    verifier = JwtVerifier("HS256", SharedSecret(settings.SIMPLE_JWT["SIGNING_KEY"]), "swapstats", None)
    return service_of(feed, Admission(lambda: verifier, _no_tickets))


def _no_tickets() -> TicketStore:
    raise AssertionError("nobody shows a ticket here")


async def test_a_topic_that_is_left_before_it_was_granted_is_not_sent(feed: LiveFeed) -> None:
    async with serving(service_of(feed)) as running, client_of(running.url) as client:
        await until(lambda: client.is_connected)
        await client.unsubscribe(client.subscribe("token:USDC"))
        updates = client.follow("token:WETH")
        await until_trades(updates, 2)
        await until(lambda: running.service.hub.followed_tokens() == {WETH})


async def test_credentials_that_fail_are_not_hidden(feed: LiveFeed) -> None:
    async def credentials() -> None:
        raise LookupError("no key at hand")

    async with serving(service_of(feed)) as running, client_of(running.url, credentials=credentials) as client:
        with pytest.raises(LookupError):
            await until_trades(client.follow("token:USDC"), 1)
