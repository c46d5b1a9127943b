"""What readers see: web processes that die, messages that are lost, clocks that are wrong."""

import json
from collections.abc import Callable
from urllib.error import HTTPError
from urllib.request import urlopen

import pytest
from redis import Redis

from swapstats.adapters.embedded.redis_server import RedisServer
from tests.chaos.arena import Arena
from tests.chaos.client import Client
from tests.chaos.test_workers import clock_off_by
from tests.chaos.verdict import wait_for

pytestmark = [pytest.mark.chaos, pytest.mark.kafka, pytest.mark.redis]

Make = Callable[..., Arena]
Conclude = Callable[..., None]


@pytest.mark.slow
def test_web_process_killed(make_arena: Make, conclude: Conclude) -> None:
    """Its clients go on with another one, which tells the same seq and values."""
    arena = make_arena().begin(workers=2)
    ports = [arena.start_web(), arena.start_web()]
    with Client(ports, arena.token_ids()) as client:
        wait_for(lambda: None if client.is_told_all else "a snapshot of every token", 30)
        arena.run_for(3)
        arena.fault("web process kill -9")
        arena.webs.pop(0).kill()
        arena.web_ports.pop(0)
        arena.run_for(5)
        conclude(arena, "web process killed", client=client)
    assert client.connections == 2


def test_messages_lost(make_arena: Make, conclude: Conclude, own_redis: RedisServer) -> None:
    """Web processes notice by seq, and load what they missed."""
    arena = make_arena().begin()
    with Client([arena.start_web()], arena.token_ids()) as client:
        wait_for(lambda: None if client.is_told_all else "a snapshot of every token", 30)
        for _ in range(3):
            arena.run_for(1)
            cut_off_until_missed(arena, own_redis.url())
        arena.run_for(3)
        conclude(arena, "channel layer loses messages", client=client)


def cut_off_until_missed(arena: Arena, redis_url: str) -> None:
    """A subscriber that is back before the next tick has missed nothing, so one cut may be too few."""
    words = "was loaded anew"
    before = arena.logs("web").count(words)

    def lacking() -> str | None:
        if arena.logs("web").count(words) > before:
            return None
        arena.fault("channel layer's subscribers cut off")
        redis.client_kill_filter(_type="pubsub")
        return f"no web process says that a partition {words}"

    with Redis.from_url(redis_url) as redis:
        wait_for(lacking, 60)


@pytest.mark.slow
@pytest.mark.parametrize("minutes", [-7, 7])
def test_wrong_clock(make_arena: Make, conclude: Conclude, minutes: int) -> None:
    arena = make_arena().begin()
    arena.fault(f"a web process whose clock is {minutes:+d} minutes off")
    port = arena.start_web(clock_off_by(minutes * 60, arena.directory))
    with Client([port], arena.token_ids()) as client:
        wait_for(lambda: None if client.is_told_all else "a snapshot of every token", 30)
        arena.run_for(5)
        assert readiness(port)[0] == 200
        conclude(arena, f"a web process's clock {minutes:+d} minutes off", client=client)


@pytest.mark.slow
def test_readiness(make_arena: Make, conclude: Conclude) -> None:
    """A web process that nobody feeds is not ready; what it still tells carries its age."""
    arena = make_arena().begin()
    port = arena.start_web()
    wait_for(lambda: None if readiness(port)[0] == 200 else "ready", 30)
    arena.fault("all workers kill -9 for 15 s")
    arena.kill_worker(arena.workers.pop())
    wait_for(lambda: None if readiness(port)[0] == 503 else "not ready", 30)
    age_s = arena.age_s(port)
    assert age_s > 5, age_s
    arena.start_worker()
    wait_for(lambda: None if readiness(port)[0] == 200 else "ready again", 60)
    conclude(arena, "nobody feeds the web processes")


def readiness(port: int) -> tuple[int, dict[str, object]]:
    try:
        with urlopen(f"http://127.0.0.1:{port}/readyz", timeout=5) as answer:
            return answer.status, json.load(answer)
    except HTTPError as error:
        return error.code, json.load(error)
