"""When to tell and when to save, on a clock that the test moves."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aggregator.pipeline.schedule import BEHIND_TICK_MS, Schedule

NOON = 1_704_456_000_000


def test_the_first_tick_is_due_at_once_and_speaks_of_a_whole_multiple() -> None:
    schedule = Schedule(100, 5_000)
    assert schedule.publish_due(NOON + 42)
    assert schedule.tick_ms(NOON + 42) == NOON


@pytest.mark.parametrize(
    ("took_ms", "next_ms"),
    [
        # |0        |100      |200      |300
        #     =.....T                           a tick at 42 that takes 5
        (5, 100),
        #     ===...T
        (30, 100),
        #     =========|--------T               one of 90 pauses for 90: until 222, so the multiple before
        (90, 200),
        #     =================|----------------T
        (160, 300),
    ],
)
def test_a_slow_tick_is_followed_by_as_long_a_pause(took_ms: int, next_ms: int) -> None:
    schedule = Schedule(100, 5_000)
    schedule.tick_ms(NOON + 42)
    schedule.published(NOON + 42 + took_ms, behind=False)
    assert not schedule.publish_due(NOON + next_ms - 1)
    assert schedule.publish_due(NOON + next_ms)


def test_a_worker_that_is_behind_tells_less_often() -> None:
    schedule = Schedule(100, 5_000)
    schedule.tick_ms(NOON)
    schedule.published(NOON + 1, behind=True)
    assert not schedule.publish_due(NOON + BEHIND_TICK_MS - 1)
    assert schedule.publish_due(NOON + BEHIND_TICK_MS)


@given(st.integers(1, 5_000), st.lists(st.tuples(st.integers(0, 3_000), st.integers(0, 3_000)), max_size=20))
def test_no_two_ticks_speak_of_the_same_instant(coalesce_ms: int, rounds: list[tuple[int, int]]) -> None:
    schedule, now_ms, told = Schedule(coalesce_ms, 5_000), NOON, 0
    for wait_ms, took_ms in rounds:
        now_ms += wait_ms
        if schedule.publish_due(now_ms):
            instant = schedule.tick_ms(now_ms)
            assert told < instant <= now_ms
            assert instant % coalesce_ms == 0
            told, now_ms = instant, now_ms + took_ms
            schedule.published(now_ms, behind=False)


def test_snapshots_keep_their_distance() -> None:
    schedule = Schedule(100, 5_000)
    assert schedule.is_due(NOON)
    schedule.tick_ms(NOON)
    schedule.published(NOON, behind=False)
    assert schedule.snapshot_due(NOON)
    assert schedule.is_due(NOON)
    schedule.snapshotted(NOON + 20)
    assert not schedule.is_due(NOON + 20)
    assert not schedule.snapshot_due(NOON + 5_019)
    assert schedule.snapshot_due(NOON + 5_020)
