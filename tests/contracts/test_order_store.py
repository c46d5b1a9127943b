"""The contract of frozen orders, as ports/order_store.py says it, on a real Redis."""

import time
from collections.abc import Iterator

import pytest
from redis import Redis

from swapstats.adapters.embedded.redis_server import RedisServer
from swapstats.adapters.redis.order_store import AT_ONCE, KEPT_S, MOST_PLACES, SLOTS, RedisOrderStore
from swapstats.domain.errors import StoreUnavailable
from swapstats.ports.order_store import Place

pytestmark = pytest.mark.redis

PLACES = [Place("1:0xa", "123456789012345678901234567890"), Place("501:Sü", "-0.5"), Place("1:0xb", "")]


@pytest.fixture
def client(redis_url: str) -> Iterator["Redis"]:
    with Redis.from_url(redis_url) as client:
        yield client


def test_what_one_process_keeps_another_finds(client: "Redis") -> None:
    one, other = (RedisOrderStore(client, "test:") for _ in range(2))
    name = one.keep(PLACES)
    assert name
    assert other.find(name) == PLACES
    [key] = client.keys("test:orders:*")
    assert 0 < client.ttl(key) <= KEPT_S


@pytest.mark.parametrize("name", ["", ".", "0.", "0.rubbish", "x.y", "999999.a", "²²", "-1.a", "\ud800.a", "0" * 500])
def test_a_name_that_nobody_gave(client: "Redis", name: str) -> None:
    store = RedisOrderStore(client, "test:")
    store.keep(PLACES)
    assert store.find(name) is None


def test_the_newest_take_the_place_of_the_oldest(client: "Redis") -> None:
    now = iter(range(10_000))
    store = RedisOrderStore(client, "test:", lambda: float(next(now)))
    names = [store.keep([Place(str(number), "1")]) or "" for number in range(SLOTS + 3)]
    assert [store.find(name) for name in names[:3]] == [None] * 3
    assert [store.find(name) for name in names[3:]] == [[Place(str(n), "1")] for n in range(3, SLOTS + 3)]
    assert len(client.keys("test:orders:*")) == SLOTS


def test_not_too_often_and_not_too_much(client: "Redis") -> None:
    store = RedisOrderStore(client, "test:", lambda: 1_000.0)
    assert sum(store.keep(PLACES) is not None for _ in range(50)) == AT_ONCE
    largest = [Place(f"1:0x{number:040x}", str(number * 7_919)) for number in range(MOST_PLACES)]
    fresh = RedisOrderStore(client, "test:")
    name = fresh.keep(largest)
    assert name
    assert fresh.find(name) == largest
    assert fresh.keep([*largest, largest[0]]) is None
    assert client.memory_usage(f"test:orders:{name.partition('.')[0]}") < 700_000


def test_without_redis_that_is_said_once_a_second(own_redis: RedisServer) -> None:
    now = [1_000.0]
    client = Redis.from_url(own_redis.url(), socket_timeout=0.2, socket_connect_timeout=0.2)
    store = RedisOrderStore(client, "test:", lambda: now[0])
    name = store.keep(PLACES)
    assert name
    own_redis.pause()
    with pytest.raises(StoreUnavailable):
        store.keep(PLACES)
    began = time.monotonic()
    assert [store.keep(PLACES), store.find(name)] == [None, None]
    assert time.monotonic() - began < 0.1
    now[0] += 1.1
    with pytest.raises(StoreUnavailable):
        store.find(name)
    own_redis.process.resume()
    now[0] += 1.1
    assert store.find(name) == PLACES
