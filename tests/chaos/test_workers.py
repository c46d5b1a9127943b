"""Workers come, go, die and stall."""

import random
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.chaos.arena import Arena

pytestmark = [pytest.mark.chaos, pytest.mark.kafka, pytest.mark.redis]

Make = Callable[..., Arena]
Conclude = Callable[[Arena, str], None]


def test_worker_killed_once(make_arena: Make, conclude: Conclude) -> None:
    """The failover time: with two workers, from the kill to fresh numbers of all partitions."""
    arena = make_arena().begin(workers=2)
    arena.run_for(3)
    arena.kill_worker(arena.workers.pop(0))
    arena.run_for(15)
    conclude(arena, "one of two workers killed")


@pytest.mark.slow
def test_worker_killed_again_and_again(make_arena: Make, conclude: Conclude) -> None:
    arena = make_arena().begin(workers=2)
    chance = random.Random(arena.seed)
    for _ in range(6):
        arena.run_for(chance.uniform(1, 6))
        arena.kill_worker(arena.workers.pop(chance.randrange(len(arena.workers))))
        arena.start_worker()
    arena.run_for(3)
    conclude(arena, "workers killed at random moments")


@pytest.mark.slow
def test_only_worker_killed_while_it_begins(make_arena: Make, conclude: Conclude) -> None:
    """Also in the midst of taking partitions, and before its first snapshot."""
    arena = make_arena().begin()
    chance = random.Random(arena.seed)
    for _ in range(8):
        arena.run_for(chance.uniform(0.5, 3.5))
        arena.kill_worker(arena.workers.pop())
        arena.start_worker()
    conclude(arena, "the only worker killed while it begins")


@pytest.mark.slow
def test_zombie(make_arena: Make, conclude: Conclude) -> None:
    """A worker that stood still for longer than its session finds its partitions taken; what it still writes is
    refused, and it finds its way back by itself."""
    arena = make_arena().begin(workers=2)
    for worker in arena.workers:
        arena.run_for(3)
        taken = arena.logs().count(" taken: ")
        arena.fault("worker stopped past its session and resumed")
        worker.pause()
        arena.wait_for_words(" taken: ", taken + 1)
        arena.run_for(4)
        worker.resume()
        arena.run_for(8)
    assert all(worker.is_running for worker in arena.workers)
    conclude(arena, "zombie workers")


@pytest.mark.slow
def test_rolling_restart(make_arena: Make, conclude: Conclude) -> None:
    arena = make_arena().begin(workers=3)
    for _ in range(3):
        arena.run_for(3)
        arena.fault("worker stopped (SIGTERM) and replaced")
        arena.stop_worker(arena.workers.pop(0))
        arena.start_worker()
    arena.run_for(3)
    conclude(arena, "rolling restart")


@pytest.mark.slow
def test_scaled(make_arena: Make, conclude: Conclude) -> None:
    arena = make_arena().begin()
    arena.run_for(3)
    arena.fault("scaled from 1 to 3 workers")
    arena.start_worker()
    arena.start_worker()
    arena.wait_for_all_workers()
    arena.run_for(4)
    arena.fault("scaled back to 1")
    arena.stop_worker(arena.workers.pop(0))
    arena.stop_worker(arena.workers.pop(0))
    arena.run_for(4)
    conclude(arena, "scaled 1 → 3 → 1")


@pytest.mark.slow
def test_partitions_raised(make_arena: Make, conclude: Conclude) -> None:
    """From then on a token's swaps lie in other partitions than before, and so do copies and removals."""
    arena = make_arena(partitions=3).begin(workers=2)
    arena.run_for(3)
    arena.fault("partitions raised from 3 to 5")
    arena.topic.raise_partitions(5)
    arena.order_is_known = False
    arena.wait_for_words("partition 4 taken")
    arena.run_for(4)
    conclude(arena, "partitions raised while running")


@pytest.mark.slow
@pytest.mark.parametrize("minutes", [-7, 7])
def test_wrong_clock(make_arena: Make, conclude: Conclude, minutes: int) -> None:
    """One of two machines with workers has a clock that is minutes off."""
    arena = make_arena().begin()
    arena.fault(f"a worker whose clock is {minutes:+d} minutes off")
    arena.start_worker(clock_off_by(minutes * 60, arena.directory))
    arena.wait_for_all_workers()
    arena.run_for(5)
    arena.stop_worker(arena.workers.pop(0))
    arena.run_for(4)
    conclude(arena, f"a machine's clock {minutes:+d} minutes off")


def test_twins(make_arena: Make, conclude: Conclude) -> None:
    """Two workers were given one name in the group. The broker lets the later one in and refuses the first for good,
    which says so and ends; the other goes on alone."""
    arena = make_arena(settings={"ingest": {"client": {"group.instance.id": "only-one"}}}).begin()
    first = arena.workers.pop()
    arena.fault("a worker with the group.instance.id of another")
    arena.start_worker()
    first.wait_until(lambda: not first.is_running, 60, "end")
    assert first.exit_code == 1
    assert "fenced" in arena.logs()
    assert "Traceback" not in arena.logs()
    conclude(arena, "two workers of one name")


def clock_off_by(seconds: int, directory: Path) -> dict[str, str]:
    """The environment of a Python whose wall clock is wrong."""
    folder = directory / f"clock{seconds}"
    folder.mkdir()
    lines = [
        "import time",
        "now, now_ns = time.time, time.time_ns",
        f"time.time = lambda: now() + {seconds}",
        f"time.time_ns = lambda: now_ns() + {seconds} * 10**9",
    ]
    (folder / "sitecustomize.py").write_text("\n".join(lines) + "\n")
    return {"PYTHONPATH": str(folder)}
