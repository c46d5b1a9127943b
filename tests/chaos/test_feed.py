"""Producers do as they please: any key, and broken streams."""

import random
from collections.abc import Callable

import pytest

from swapstats.adapters.embedded.redis_server import RedisServer
from tests.chaos.arena import Arena
from tests.chaos.feed import Keying
from tests.chaos.test_redis import cut_off

pytestmark = [pytest.mark.chaos, pytest.mark.kafka, pytest.mark.redis]

Make = Callable[..., Arena]
Conclude = Callable[[Arena, str], None]


@pytest.mark.slow
@pytest.mark.parametrize("keying", ["token", "event", "nothing"])
def test_keys(make_arena: Make, conclude: Conclude, keying: Keying) -> None:
    """Whatever the key, and with workers that come and go on top."""
    arena = make_arena(keying=keying).begin(workers=2)
    chance = random.Random(arena.seed)
    for _ in range(3):
        arena.run_for(chance.uniform(2, 5))
        arena.kill_worker(arena.workers.pop(0))
        arena.start_worker()
    arena.run_for(3)
    conclude(arena, f"records keyed by {keying}")


@pytest.mark.slow
def test_any_fault_without_keys(make_arena: Make, conclude: Callable[..., None], own_redis: RedisServer) -> None:
    """Copies and retractions in other partitions than their swaps, and one fault after the other, in any order."""
    arena = make_arena(keying="nothing", partitions=3, rate=400).begin(workers=2)
    chance = random.Random(arena.seed)

    def kill() -> None:
        arena.kill_worker(arena.workers.pop(0))
        arena.start_worker()

    def replace() -> None:
        arena.wait_for_all_workers()
        arena.fault("worker stopped (SIGTERM) and replaced")
        arena.stop_worker(arena.workers.pop(0))
        arena.start_worker()

    def forget() -> None:
        arena.fault("Redis kill -9, end of its AOF cut off")
        own_redis.kill()
        cut_off(own_redis.directory, chance.randrange(20_000, 200_000))
        own_redis.start()

    def raise_partitions() -> None:
        arena.fault("a partition added")
        arena.topic.raise_partitions(arena.topic.partitions + 1)

    for fault in chance.sample([kill, replace, forget, raise_partitions] * 2, 8):
        arena.run_for(chance.uniform(1, 4))
        fault()
    arena.run_for(3)
    conclude(arena, "any fault, records keyed by nothing", store_forgets=True)


@pytest.mark.slow
def test_flood_of_invalid(make_arena: Make, conclude: Conclude) -> None:
    """Past a share the worker stops and says so; nothing is discarded, and told to go on it does."""
    arena = make_arena(settings={"ingest": {"invalid_sample": 400, "max_invalid_share": 0.5}}).begin()
    arena.run_for(3)
    arena.fault("2,000 invalid records at once")
    for _ in range(2_000):
        arena.feed.send(None, b'{"schema": "another"}')
    worker = arena.workers.pop()
    worker.wait_until(lambda: not worker.is_running, 60, "stop")
    assert "are no valid swap events" in arena.logs()
    assert worker.exit_code == 1
    arena.run_for(3)
    arena.start_worker({"SWAPSTATS_INGEST__MAX_INVALID_SHARE": "1"})
    conclude(arena, "flood of invalid records")
    letters = {
        (letter.headers["source_partition"], letter.headers["source_offset"])
        for letter in arena.topic.read_dead_letters()
    }
    assert len(letters) == arena.outcomes()["dead_lettered"]
