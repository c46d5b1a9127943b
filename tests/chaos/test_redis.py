"""The state store dies, forgets, fails over, or is slow."""

import random
from collections.abc import Callable
from pathlib import Path

import pytest
from redis import Redis

from settings.config.load import variable
from swapstats.adapters.embedded.redis_server import RedisServer
from tests.chaos.arena import Arena
from tests.chaos.clusters import MASTER, GuardedRedis
from tests.chaos.proxy import Proxy

pytestmark = [pytest.mark.chaos, pytest.mark.kafka, pytest.mark.redis]

Make = Callable[..., Arena]
Conclude = Callable[..., None]


def test_killed_and_restarted(make_arena: Make, conclude: Conclude, own_redis: RedisServer) -> None:
    arena = make_arena().begin(workers=2)
    for _ in range(2):
        arena.run_for(4)
        arena.fault("Redis kill -9, restarted from its AOF")
        own_redis.kill()
        arena.run_for(1)
        own_redis.start()
    arena.run_for(4)
    conclude(arena, "Redis killed")


@pytest.mark.slow
def test_last_writes_lost(make_arena: Make, conclude: Conclude, own_redis: RedisServer) -> None:
    """As after a power cut: what was acknowledged last is not in the file."""
    arena = make_arena().begin(workers=2)
    chance = random.Random(arena.seed)
    for most in (40_000, 400_000, 80_000, 400_000, 80_000):
        arena.run_for(chance.uniform(2, 6))
        arena.fault("Redis kill -9, end of its AOF cut off")
        own_redis.kill()
        cut_off(own_redis.directory, chance.randrange(most // 4, most))
        own_redis.start()
    arena.run_for(4)
    conclude(arena, "Redis loses its last writes", store_forgets=True)


def cut_off(directory: Path, size: int) -> None:
    """Take so many bytes from the end of the newest append-only file."""
    newest = max(directory.glob("appendonlydir/*.incr.aof"), key=lambda path: path.stat().st_mtime)
    with newest.open("r+b") as file:
        file.truncate(max(0, newest.stat().st_size - size))


@pytest.mark.slow
def test_failover(make_arena: Make, conclude: Conclude, tmp_path: Path) -> None:
    """A replica without the last seconds' writes takes over, and later the old master comes back as its replica."""
    with GuardedRedis(tmp_path / "guarded") as guarded:
        hosts = [f"127.0.0.1:{port}" for port in guarded.sentinel_ports]
        sentinel = {"sentinel": {"master": MASTER, "hosts": hosts}}
        settings = {"stores": {"redis": sentinel}, "pubsub": {"channel_layer": sentinel}}
        arena = make_arena(redis_url=guarded.master_url, settings=settings).begin(workers=2)
        arena.run_for(6)
        arena.fault("replica falls 4 s behind")
        guarded.link.go_deaf()
        arena.run_for(4)
        arena.fault("master kill -9, replica promoted")
        guarded.lose_master()
        guarded.wait_for_failover()
        arena.redis_url = guarded.master_url
        arena.run_for(4)
        arena.fault("old master comes back")
        guarded.master.start()
        arena.run_for(6)
        conclude(arena, "Redis failover, last writes lost", store_forgets=True)


@pytest.mark.slow
def test_two_masters(make_arena: Make, conclude: Conclude, tmp_path: Path) -> None:
    """The old master stands still, comes back, and is believed to be one by who is connected to it."""
    with GuardedRedis(tmp_path / "guarded") as guarded:
        hosts = [f"127.0.0.1:{port}" for port in guarded.sentinel_ports]
        sentinel = {"sentinel": {"master": MASTER, "hosts": hosts}}
        settings = {"stores": {"redis": sentinel}, "pubsub": {"channel_layer": sentinel}}
        arena = make_arena(redis_url=guarded.master_url, settings=settings).begin(workers=2)
        arena.run_for(5)
        arena.fault("master stopped, replica promoted, master resumed")
        guarded.master.pause()
        guarded.wait_for_failover()
        arena.redis_url = guarded.master_url
        guarded.master.resume()
        arena.run_for(10)
        conclude(arena, "two Redis masters for a moment", store_forgets=True)


@pytest.mark.slow
def test_emptied(make_arena: Make, conclude: Conclude, own_redis: RedisServer) -> None:
    """The windows are built anew from the log; meanwhile readers are told that they are not complete."""
    arena = make_arena().begin(workers=2, history=10_000)
    arena.run_for(4)
    arena.fault("Redis emptied")
    with Redis.from_url(own_redis.url()) as client:
        seconds, _ = client.time()
        assert arena.watch.complete_since_ms < seconds * 1000
        client.flushall()
    arena.run_for(8)
    arena.wait_until_live()
    assert arena.watch.complete_since_ms >= seconds * 1000
    assert all(partition.meta.complete_since_ms == 0 for partition in arena.state.live().values())
    conclude(arena, "Redis emptied")


@pytest.mark.slow
def test_silent(make_arena: Make, conclude: Conclude, own_redis: RedisServer) -> None:
    """The network swallows everything between one worker and Redis, for longer than the time-out, and then answers
    late."""
    with Proxy(own_redis.port) as proxy:
        arena = make_arena().begin()
        arena.start_worker({variable("stores.redis.url"): f"redis://127.0.0.1:{proxy.port}/0"})
        arena.wait_for_all_workers()
        arena.run_for(3)
        arena.fault("one worker's way to Redis swallows everything for 8 s")
        proxy.go_deaf()
        arena.run_for(8)
        proxy.mend()
        arena.run_for(4)
        conclude(arena, "Redis cannot be reached by one worker")


@pytest.mark.slow
def test_slow(make_arena: Make, conclude: Conclude, own_redis: RedisServer) -> None:
    """Lag grows, memory does not."""
    with Proxy(own_redis.port) as proxy:
        arena = make_arena(rate=1_500, settings={"ingest": {"batch_max": 200}})
        through_proxy = {variable("stores.redis.url"): f"redis://127.0.0.1:{proxy.port}/0"}
        arena.begin(env=through_proxy)
        arena.run_for(4)
        before_mb = arena.memory_mb()
        arena.fault("every answer of Redis 0.5 s late for 15 s")
        proxy.latency_s = 0.25
        arena.run_for(15)
        lag, after_mb = arena.lag(), arena.memory_mb()
        proxy.mend()
        assert lag > 5_000, f"Redis was to be too slow for the feed, but only {lag} records wait"
        assert after_mb - before_mb < 64, f"memory grew from {before_mb} to {after_mb} MB with {lag} records waiting"
        arena.note(f"lag grew to {lag:,} records, memory from {before_mb} to {after_mb} MB")
        conclude(arena, "slow Redis")
