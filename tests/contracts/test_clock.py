"""The clock's contract, as ports/clock.py says it, on a real Redis."""

import time
from collections.abc import Iterator

import pytest
import redis

from settings.config import RedisStore
from swapstats.adapters.embedded.redis_server import RedisServer
from swapstats.adapters.redis.clock import RedisClock
from swapstats.adapters.redis.session import RedisSession
from swapstats.domain.errors import StoreUnavailable

pytestmark = pytest.mark.redis


class Monotonic:
    """A machine's monotonic clock, moved by hand."""

    def __init__(self, seconds: float = 1_000.0) -> None:
        self.seconds = seconds

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture
def session(redis_url: str) -> Iterator[RedisSession]:
    session = RedisSession.open(RedisStore(url=redis_url))
    yield session
    session.close()


def redis_ms(url: str) -> int:
    with redis.Redis.from_url(url) as client:
        seconds, microseconds = client.time()
    return seconds * 1000 + microseconds // 1000


@pytest.mark.parametrize("uptime", [0.0, 12.5, 10**9])
def test_tells_rediss_time_whatever_this_machines_clock_says(
    session: RedisSession, redis_url: str, uptime: float
) -> None:
    before = redis_ms(redis_url)
    now = RedisClock(session, Monotonic(uptime)).now_ms()
    assert before - 1 <= now <= redis_ms(redis_url) + 1


def test_goes_on_by_itself_between_two_looks(session: RedisSession) -> None:
    monotonic = Monotonic()
    clock = RedisClock(session, monotonic)
    start = clock.now_ms()
    monotonic.seconds += 12.5
    assert clock.now_ms() - start == 12_500


def test_never_runs_backwards(session: RedisSession) -> None:
    """Not even where this machine's clock had run ahead of Redis's: it waits until Redis has caught up."""
    monotonic = Monotonic()
    clock = RedisClock(session, monotonic)
    monotonic.seconds += 60
    ahead = clock.now_ms()
    clock.sync()
    assert clock.now_ms() == ahead
    monotonic.seconds += 30
    assert clock.now_ms() == ahead
    monotonic.seconds += 40
    assert clock.now_ms() > ahead


def test_a_look_brings_it_back_to_rediss_time(session: RedisSession, redis_url: str) -> None:
    monotonic = Monotonic()
    clock = RedisClock(session, monotonic)
    monotonic.seconds -= 60  # a machine whose clock runs slow
    before = redis_ms(redis_url)
    clock.sync()
    assert before - 1 <= clock.now_ms() <= redis_ms(redis_url) + 1


def test_half_the_round_trip_is_taken_for_the_way_back(session: RedisSession, redis_url: str) -> None:
    ticks = iter([10.0, 14.0, 14.0])
    before = redis_ms(redis_url)
    clock = RedisClock(session, lambda: next(ticks))
    assert before + 2_000 - 1 <= clock.now_ms() <= redis_ms(redis_url) + 2_000 + 1


def test_on_real_clocks(session: RedisSession, redis_url: str) -> None:
    clock = RedisClock(session, time.monotonic)
    told = [clock.now_ms() for _ in range(1_000)]
    assert told == sorted(told)
    assert told[-1] <= redis_ms(redis_url) + 50


def test_a_reference_that_is_gone_is_told(own_redis: RedisServer) -> None:
    session = RedisSession.open(RedisStore(url=own_redis.url()))
    clock = RedisClock(session)
    before = clock.now_ms()
    own_redis.kill()
    with pytest.raises(StoreUnavailable):
        clock.sync()
    own_redis.start()
    with pytest.raises(StoreUnavailable):
        clock.sync()
    assert clock.now_ms() >= before
