"""Producers do as they please: any key, and broken streams."""

import random
from collections.abc import Callable

import pytest

from tests.chaos.arena import Arena
from tests.chaos.feed import Keying

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
