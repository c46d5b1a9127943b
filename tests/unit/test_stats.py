"""Parts add up, whatever the partitions; prices follow from sums."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from swapstats.domain.stats import (
    EMPTY_WINDOW,
    Edge,
    Part,
    WindowPart,
    merge_parts,
    price_change_pct,
    price_usd,
)

USD, TOKEN = 10**6, 10**18

edges = st.builds(
    Edge,
    st.sampled_from([0, 60_000, 120_000, 180_000]),
    st.just(60_000),
    st.integers(0, 10**30),
    st.integers(0, 10**45),
)
sums = st.integers(-(10**40), 10**40)
window_parts = st.builds(WindowPart, sums, sums, sums, sums, sums, st.none() | edges)
parts = st.builds(
    Part,
    st.none() | st.sampled_from(["A", "B"]),
    st.integers(0, 10**6),
    st.none() | edges | edges.map(lambda edge: edge._replace(width_ms=5_000)),
    st.tuples(window_parts, window_parts),
)


def part(symbol: str | None = None, last_ms: int = 0, newest: Edge | None = None, *windows: WindowPart) -> Part:
    return Part(symbol, last_ms, newest, windows or (EMPTY_WINDOW,))


@given(st.lists(parts, min_size=1, max_size=4), st.randoms())
def test_the_order_of_parts_does_not_matter(several: list[Part], random: object) -> None:
    """But for the symbol where two partitions saw their newest swap in the same millisecond."""
    shuffled = random.sample(several, len(several))  # type: ignore[attr-defined]
    assert merge_parts(several)[1:] == merge_parts(shuffled)[1:]


@given(st.lists(parts, min_size=3, max_size=3))
def test_parts_of_parts_add_up_to_the_same(several: list[Part]) -> None:
    first, second, third = several
    assert merge_parts([merge_parts([first, second]), third])[1:] == merge_parts(several)[1:]


@given(st.lists(parts, min_size=1, max_size=4))
def test_sums_are_sums(several: list[Part]) -> None:
    merged = merge_parts(several)
    for number, window in enumerate(merged.windows):
        columns = [part.windows[number] for part in several]
        assert window[:5] == tuple(sum(column[field] for column in columns) for field in range(5))
        assert (window.usd, window.trades) == (window.buy_usd + window.sell_usd, window.buys + window.sells)


def test_edges_of_the_same_bucket_are_one() -> None:
    old, new = Edge(0, 60, 5, 1), Edge(60, 60, 7, 1)
    left = part("A", 1, new, WindowPart(5, 7, 2, 1, 1, old))
    right = part("A", 2, old, WindowPart(5, 0, 1, 1, 0, old))
    merged = merge_parts([left, right])
    assert merged.newest == new
    assert merged.windows[0].oldest == Edge(0, 60, 10, 2)


def test_the_newest_bucket_is_of_the_finest_width() -> None:
    fine, coarse = Edge(5_000, 5_000, 1, 1), Edge(0, 60_000, 2, 2)
    assert merge_parts([part(None, 0, coarse), part(None, 0, fine)]).newest == fine


def test_the_symbol_is_that_of_the_newest_swap_else_any() -> None:
    assert merge_parts([part("OLD", 1), part("NEW", 2)]).symbol == "NEW"
    assert merge_parts([part("OLD", 1), part(None, 2)]).symbol == "OLD"
    assert merge_parts([part(None, 1), part(None, 2)]).symbol is None


@pytest.mark.parametrize(
    ("usd", "token", "expected"),
    [
        (2_268 * USD, TOKEN, "2268.000000"),
        (1, 3 * TOKEN, "0.000000333333"),
        (0, TOKEN, "0.000000"),
        (5 * USD, 0, None),
        (1, 10**48, "0.00000000000000000000000000000000000100000"),
    ],
)
def test_price(usd: int, token: int, expected: str | None) -> None:
    assert price_usd(usd, token) == expected


@given(st.integers(1, 10**60), st.integers(1, 10**70))
def test_price_has_six_decimals_or_digits_that_are_right(usd: int, token: int) -> None:
    exact = Fraction(usd, USD) / Fraction(token, TOKEN)
    text = price_usd(usd, token)
    assert text is not None
    assert abs(Fraction(text) - exact) <= min(Fraction(1, 10**6), exact / 10**5) / 2
    assert len(text.partition(".")[2]) >= 6


@pytest.mark.parametrize(
    ("newest", "oldest", "expected"),
    [
        ((110, 1), (100, 1), "10.00"),
        ((100, 1), (110, 1), "-9.09"),
        ((100, 1), (200, 2), "0.00"),
        ((0, 1), (100, 1), "-100.00"),
        ((100, 1), (0, 1), None),
        ((100, 0), (100, 1), None),
        ((100, 1), (100, 0), None),
        (None, (100, 1), None),
        ((100, 1), None, None),
    ],
)
def test_price_change(newest: tuple[int, int] | None, oldest: tuple[int, int] | None, expected: str | None) -> None:
    after, before = (Edge(0, 1, *sums) if sums else None for sums in (newest, oldest))
    assert price_change_pct(after, before) == expected
