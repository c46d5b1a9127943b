"""The window engine against a list of swaps summed up by definition, and its edges one by one."""

from collections.abc import Iterable

import pytest

from aggregator.windows.engine import PACK_AFTER_MS, WindowEngine
from swapstats.domain.stats import Edge, Part, WindowPart, merge_parts
from swapstats.domain.swap import Swap
from swapstats.domain.window import Window

S = 1_000
FIVE = Window("5m", 300 * S, 5 * S)
HOUR = Window("1h", 3_600 * S, 60 * S)
DAY = Window("24h", 86_400 * S, 60 * S)
NOW = 1_700_000_040 * S  # a whole minute
assert NOW % (60 * S) == 0


def swap(at_ms: int, usd: int = 10, amount: int = 2, *, buy: bool = True, of: str = "1:a", symbol: str = "A") -> Swap:
    return Swap(
        *("1:0xaa:0", of, buy, usd, amount, at_ms, False, None, None, symbol, 1, "0xaa", 0),
        *(of.partition(":")[2], None, None),
    )


def engine(now_ms: int = NOW, windows: Iterable[Window] = (FIVE, HOUR, DAY), margin_ms: int = 180 * S) -> WindowEngine:
    return WindowEngine(list(windows), margin_ms, now_ms)


def sums(engine: WindowEngine, of: str = "1:a") -> list[tuple[int, int, int, int, int] | None]:
    part = engine.part(of)
    return [window[:5] for window in part.windows] if part else []


def trades(engine: WindowEngine, of: str = "1:a") -> list[int]:
    part = engine.part(of)
    return [window.trades for window in part.windows] if part else []


def test_a_swap_counts_in_every_window_on_its_side() -> None:
    one = engine()
    one.apply(swap(NOW, 10, 2))
    one.apply(swap(NOW - 10 * S, 7, 3, buy=False))
    assert sums(one) == [(10, 7, 5, 1, 1)] * 3


def test_windows_let_go_of_what_leaves_them_bucket_by_bucket() -> None:
    """A swap at :02 of bucket :00 is in the 5m window until the bucket that begins five minutes later is entered."""
    one = engine(NOW)
    one.apply(swap(NOW + 2 * S))
    one.advance(NOW + 4 * S)
    assert trades(one) == [1, 1, 1]
    one.advance(NOW + 299_999)
    assert trades(one) == [1, 1, 1]
    one.advance(NOW + 300 * S)
    assert trades(one) == [0, 1, 1]
    one.advance(NOW + 3_600 * S - 1)
    assert trades(one) == [0, 1, 1]
    one.advance(NOW + 3_600 * S)
    assert trades(one) == [0, 0, 1]
    one.advance(NOW + 86_400 * S - 1)
    assert trades(one) == [0, 0, 1]
    one.advance(NOW + 86_400 * S)
    assert one.part("1:a") is None
    assert one.tokens() == set()


def test_a_swap_of_the_future_counts_when_its_bucket_is_entered() -> None:
    one = engine(NOW)
    one.apply(swap(NOW + 66 * S))
    assert one.part("1:a") is None
    one.advance(NOW + 59_999)
    assert one.part("1:a") is None
    one.advance(NOW + 60 * S)
    assert trades(one) == [0, 1, 1]
    one.advance(NOW + 65 * S)
    assert trades(one) == [1, 1, 1]


def test_a_swap_dated_moments_ahead_counts_with_the_newest_bucket() -> None:
    one = engine(NOW)
    one.apply(swap(NOW + 4_999))
    assert trades(one) == [1, 1, 1]


def test_what_is_too_old_touches_nothing() -> None:
    """A ring of fixed slots would count it in a bucket of today."""
    one = engine(NOW)
    one.apply(swap(NOW - 86_400 * S))
    one.apply(swap(NOW - 10 * 86_400 * S))
    one.apply(swap(0))
    assert one.part("1:a") is None
    assert list(one.take_dirty()) != []  # within the margin, kept for a successor whose time is behind
    one.apply(swap(NOW - 10 * 86_400 * S))
    assert list(one.take_dirty()) == []


def test_a_late_swap_joins_the_windows_that_still_hold_its_bucket() -> None:
    one = engine(NOW)
    one.apply(swap(NOW - 400 * S))
    assert trades(one) == [0, 1, 1]
    one.apply(swap(NOW - 4_000 * S))
    assert trades(one) == [0, 1, 2]


def test_retraction_returns_to_exactly_what_was() -> None:
    one = engine(NOW)
    one.apply(swap(NOW, 10, 2))
    one.advance(NOW + 10 * S)
    before = one.part("1:a")
    other = swap(NOW + 7 * S, 10**40, 10**60, buy=False)
    one.apply(other)
    assert one.part("1:a") != before
    one.retract(other)
    assert one.part("1:a") == before


def test_a_token_wholly_retracted_is_gone() -> None:
    one = engine(NOW)
    one.apply(swap(NOW))
    one.retract(swap(NOW))
    assert one.part("1:a") is None
    assert one.tokens() == set()
    assert dict_of_dirty(one) == {}


def test_retraction_finds_a_packed_segment() -> None:
    one = engine(NOW)
    for usd in (10, 20):
        one.apply(swap(NOW, usd))
    one.advance(NOW + PACK_AFTER_MS + 120 * S)
    dict_of_dirty(one)
    one.retract(swap(NOW, 10))
    assert sums(one)[1:] == [(20, 0, 2, 1, 0)] * 2
    assert {key[0] for key in dict_of_dirty(one)} == {5 * S, 60 * S}
    one.advance(NOW + 2 * PACK_AFTER_MS)
    one.retract(swap(NOW, 20))
    assert one.part("1:a") is None
    assert dict_of_dirty(one) == {}
    assert len(one.take_dropped()) == 2


def test_changes_name_tokens_once_and_what_was_reorged() -> None:
    one = engine(NOW)
    one.apply(swap(NOW))
    one.apply(swap(NOW, of="1:b"))
    one.retract(swap(NOW, of="1:b"))
    assert one.take_changes() == ({"1:a", "1:b"}, {"1:b"})
    assert one.take_changes() == (set(), set())
    one.advance(NOW + 300 * S)
    assert "1:a" in one.take_changes().tokens


def test_prices_are_of_the_oldest_and_the_newest_bucket() -> None:
    one = engine(NOW)
    one.apply(swap(NOW - 200 * S, 10, 1))
    one.apply(swap(NOW - 199 * S, 30, 1, buy=False))
    one.apply(swap(NOW, 50, 2))
    part = one.part("1:a")
    assert part is not None
    assert part.newest == Edge(NOW, 5 * S, 50, 2)
    assert part.windows[0].oldest == Edge(NOW - 200 * S, 5 * S, 40, 2)
    assert part.windows[1].oldest == Edge(NOW - 240 * S, 60 * S, 40, 2)
    one.advance(NOW + 150 * S)
    part = one.part("1:a")
    assert part is not None
    assert part.windows[0].oldest == Edge(NOW, 5 * S, 50, 2)
    one.advance(NOW + 3_500 * S)
    part = one.part("1:a")
    assert part is not None
    assert part.newest == Edge(NOW, 60 * S, 50, 2)
    assert part.windows[0].oldest is None
    one.retract(swap(NOW, 50, 2))
    part = one.part("1:a")
    assert part is not None
    assert part.newest == part.windows[2].oldest == Edge(NOW - 240 * S, 60 * S, 40, 2)


@pytest.mark.parametrize("gone_first", [True, False])
def test_parts_of_two_partitions_add_up_where_one_counts_and_the_other_retracts(gone_first: bool) -> None:
    """The sums do; which bucket is at the edge neither of them can know alone."""
    counting, retracting = engine(), engine()
    counting.apply(swap(NOW, 10, 2))
    counting.apply(swap(NOW, 7, 1, buy=False))
    retracting.retract(swap(NOW, 10, 2))
    assert sums(retracting) == [(-10, 0, -2, -1, 0)] * 3
    pair = [retracting, counting] if gone_first else [counting, retracting]
    merged = merge_parts([part for one in pair if (part := one.part("1:a"))])
    assert [window[:5] for window in merged.windows] == [(0, 7, 1, 0, 1)] * 3


def test_a_checkpoint_holds_all_that_is_needed() -> None:
    one = engine(NOW)
    for at_ms in (NOW - 86_000 * S, NOW - 301 * S, NOW - 5 * S, NOW, NOW + 70 * S):
        one.apply(swap(at_ms))
    other = restored(dict_of_dirty(one), NOW)
    assert (other.part("1:a"), other.tokens()) == (one.part("1:a"), one.tokens())
    assert dict_of_dirty(other) == {}
    for at_ms in (NOW + 60 * S, NOW + 75 * S, NOW + 1_000 * S, NOW + 90_000 * S):
        one.advance(at_ms)
        other.advance(at_ms)
        assert other.part("1:a") == one.part("1:a")


def test_a_checkpoint_may_be_of_other_windows() -> None:
    """Windows may be added or taken away by configuration; buckets of a width that is no more are left out."""
    one = engine(NOW)
    one.apply(swap(NOW))
    other = restored(dict_of_dirty(one), NOW, [HOUR, Window("2h", 7_200 * S, 60 * S), Window("x", 20 * S, 10 * S)])
    assert trades(other) == [1, 1, 0]


def test_a_segment_that_went_too_old_meanwhile_is_dropped() -> None:
    one = engine(NOW)
    one.apply(swap(NOW))
    other = restored(dict_of_dirty(one), NOW + 90_000 * S)
    assert other.part("1:a") is None
    assert sorted(other.take_dropped()) == [(5 * S, NOW // (5 * S)), (60 * S, NOW // (60 * S))]


def dict_of_dirty(engine: WindowEngine) -> dict[tuple[int, int], object]:
    return {(width, index): segment for width, index, segment in engine.take_dirty()}


def restored(segments: dict[tuple[int, int], object], now_ms: int, windows: Iterable[Window] = (FIVE, HOUR, DAY)):
    other = engine(now_ms, windows)
    for (width_ms, index), segment in sorted(segments.items()):
        other.load(width_ms, index, segment)
    return other


def test_a_part_of_windows_in_the_order_of_the_configuration() -> None:
    one = engine(NOW, [DAY, FIVE, HOUR])
    one.apply(swap(NOW - 600 * S))
    assert one.part("1:a") == Part(
        "A",
        NOW - 600 * S,
        Edge(NOW - 600 * S, 60 * S, 10, 2),
        (
            WindowPart(10, 0, 2, 1, 0, Edge(NOW - 600 * S, 60 * S, 10, 2)),
            WindowPart(0, 0, 0, 0, 0, None),
            WindowPart(10, 0, 2, 1, 0, Edge(NOW - 600 * S, 60 * S, 10, 2)),
        ),
    )
