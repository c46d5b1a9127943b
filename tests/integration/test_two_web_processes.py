"""Two `manage.py serve` behind one address: they say the same, and stand in for each other."""

import asyncio
import json
import signal
import time
import urllib.request
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import ExitStack, asynccontextmanager
from itertools import cycle
from pathlib import Path
from typing import Any

import pytest

from swapstats.adapters.embedded.redis_server import RedisServer
from swapstats_client import SwapStats, Update
from tests.parts.live_feed import traded
from tests.parts.publisher import Publisher
from tests.parts.web_process import WebProcess
from tests.parts.web_socket import PATIENCE_S

pytestmark = pytest.mark.redis

USDC, WETH = "1:0xa0b8", "1:0xc02a"
TICKS = 20


@pytest.fixture
def worker(redis_server: RedisServer, redis_url: str) -> Iterator[Publisher]:
    with Publisher(redis_server.url(2), redis_server.url(3)) as worker:
        worker.publish({USDC: traded(1), WETH: traded(2, symbol="WETH")}, whole=True)
        yield worker


@pytest.fixture
def webs(worker: Publisher, redis_server: RedisServer, tmp_path: Path) -> Iterator[list[WebProcess]]:
    with ExitStack() as stack:
        webs = []
        for name in ("one", "other"):
            (tmp_path / name).mkdir()
            webs.append(WebProcess(tmp_path / name, redis_server.url(2), redis_server.url(3)))
            stack.enter_context(webs[-1])
        yield webs


async def test_both_say_the_same_at_the_same_seq(worker: Publisher, webs: Sequence[WebProcess]) -> None:
    async with SwapStats(webs[0].socket_url) as one, SwapStats(webs[1].socket_url) as other:
        updates = [client.follow(f"token:{USDC}") for client in (one, other)]
        first = await asyncio.gather(*(until(each, lambda update: update.seq > 0) for each in updates))
        assert first[0] == first[1]
        for buys in range(2, TICKS):
            worker.publish({USDC: traded(buys)})
            seq = worker.seq
            told = await asyncio.gather(*(until(each, lambda update, seq=seq: update.seq == seq) for each in updates))
            assert told[0] == told[1]
            assert told[0].data["windows"]["5m"]["buys"] == buys
    bodies = [await asyncio.to_thread(stats, web) for web in webs]
    assert bodies[0] == bodies[1]
    assert bodies[0]["seq"] == worker.seq


async def test_a_client_whose_process_is_killed_goes_on_with_the_other(
    worker: Publisher, webs: Sequence[WebProcess]
) -> None:
    async with (
        one_address([web.port for web in webs]) as (url, used),
        SwapStats(url, first_delay=0.05, longest_delay=0.2) as client,
    ):
        updates = client.follow(f"token:{USDC}")
        before = await until(updates, lambda update: update.seq > 0)
        await asyncio.to_thread(webs[0].stop, signal.SIGKILL)
        worker.publish({USDC: traded(9)})
        after = await until(updates, lambda update: update.seq == worker.seq)
        assert (after.epoch, after.data["windows"]["5m"]["buys"]) == (before.epoch, 9)
        worker.publish({USDC: traded(10)})
        await until(updates, lambda update: update.data["windows"]["5m"]["buys"] == 10)
    assert used == [webs[0].port, webs[1].port]


def test_pages_go_on_from_one_to_the_other_while_values_move(worker: Publisher, webs: Sequence[WebProcess]) -> None:
    tokens = {f"1:0x{number:04x}": traded(number + 1) for number in range(9)}
    worker.publish(tokens, whole=True)
    question = "/api/tokens?sort=trades&limit=2"
    for web in webs:
        wait_until(lambda web=web: got(web, "/api/tokens")["total"] == len(tokens))
    walked, page, turn = list[str](), got(webs[0], question), cycle(reversed(webs))
    while page["next_cursor"]:
        walked += [item["token"]["id"] for item in page["items"]]
        worker.publish({token: traded(50 - place) for place, token in enumerate(tokens)})
        page = got(next(turn), f"{question}&cursor={page['next_cursor']}")
    walked += [item["token"]["id"] for item in page["items"]]
    assert walked == sorted(tokens, reverse=True)


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


async def until(updates: AsyncIterator[Update], is_meant: Callable[[Update], bool]) -> Update:
    async with asyncio.timeout(PATIENCE_S):
        async for update in updates:
            if is_meant(update):
                return update
    raise AssertionError("the updates ended")


def stats(web: WebProcess) -> dict[str, Any]:
    return got(web, f"/api/tokens/{USDC}/stats")


def got(web: WebProcess, path: str) -> dict[str, Any]:
    with urllib.request.urlopen(f"{web.url}{path}") as answer:  # noqa: S310 - our own, on loopback
        body: dict[str, Any] = json.load(answer)
        return body


@asynccontextmanager
async def one_address(ports: Sequence[int]) -> AsyncIterator[tuple[str, list[int]]]:
    """What a balancer does: each connection goes to the next process that answers. Gives those that were used."""
    turn, used = cycle(ports), list[int]()

    async def forward(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for port in (next(turn) for _ in ports):
            try:
                down, up = await asyncio.open_connection("127.0.0.1", port)
            except OSError:
                continue
            used.append(port)
            await asyncio.gather(pump(reader, up), pump(down, writer))
            return
        writer.close()

    server = await asyncio.start_server(forward, "127.0.0.1", 0)
    async with server:
        yield f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}/ws", used


async def pump(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
    try:
        while data := await source.read(65_536):
            target.write(data)
            await target.drain()
    except OSError:
        pass  # whoever was killed says no goodbye
    finally:
        target.close()
