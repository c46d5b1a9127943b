"""Which buckets a window covers, drawn as timelines."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from swapstats.domain.window import Window, finest_bucket_ms, longest_ms


def drawn(window: Window, now_ms: int, width: int) -> str:
    """The milliseconds from 0 on: `=` those whose bucket the window covers at `now_ms`, `.` the others."""
    first, last = window.first_bucket(now_ms), now_ms // window.bucket_ms
    return "".join("=" if first <= ms // window.bucket_ms <= last else "." for ms in range(width))


@pytest.mark.parametrize(
    ("now_ms", "expected"),
    [
        #       |0   |5   |10  |15  |20  |25  |30
        (24, "..........===============....."),
        (25, "...............==============="),
        (29, "...............==============="),
        (20, "..........===============....."),
        (19, ".....===============.........."),
        (14, "===============..............."),
        (4, "=====........................."),
    ],
)
def test_a_window_moves_by_whole_buckets_and_counts_the_newest_whole(now_ms: int, expected: str) -> None:
    assert drawn(Window("w", 15, 5), now_ms, 30) == expected


@pytest.mark.parametrize(
    ("now_ms", "expected"),
    [
        #      |0   |5   |10  |15
        (7, ".....=====....."),
        (10, "..........====="),
    ],
)
def test_a_window_of_one_bucket_is_that_bucket(now_ms: int, expected: str) -> None:
    assert drawn(Window("w", 5, 5), now_ms, 15) == expected


def test_where_the_contract_says_that_a_window_begins() -> None:
    """12:00:02.500: the 5m window began at 11:55:05, the hour at 11:01:00."""
    noon = 1_704_456_002_500
    assert Window("5m", 300_000, 5_000).from_ms(noon) == noon - 2_500 - 295_000
    assert Window("1h", 3_600_000, 60_000).from_ms(noon) == noon - 2_500 - 59 * 60_000


@given(st.integers(1, 50), st.integers(1, 100), st.integers(0, 10**13))
def test_never_wider_than_its_name_never_narrower_by_a_whole_bucket_more(
    buckets: int, bucket_ms: int, now_ms: int
) -> None:
    window = Window("w", buckets * bucket_ms, bucket_ms)
    covered = now_ms - window.from_ms(now_ms)
    assert window.length_ms - bucket_ms <= covered < window.length_ms
    assert window.from_ms(now_ms) % bucket_ms == 0


def test_the_longest_and_the_finest() -> None:
    windows = [Window("5m", 300, 5), Window("1h", 3600, 60), Window("24h", 86400, 60)]
    assert (longest_ms(windows), finest_bucket_ms(windows)) == (86400, 5)
