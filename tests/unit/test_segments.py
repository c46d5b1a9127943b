"""Segments: packed and opened again without loss, at any size of sum."""

from array import array

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aggregator.windows.segments import OpenSegment, PackedSegment, SplitColumn, pack_column

BORDERS = [0, 1, 2**60 - 1, 2**60, 2**63 - 1, 2**63, 2**64, 2**123 - 1, 2**123, 2**124, 10**60]
integers = st.one_of(
    st.integers(-100, 100), st.sampled_from([sign * border for border in BORDERS for sign in (1, -1)]), st.integers()
)
counts = st.integers(-(2**40), 2**40)
rows = st.tuples(
    integers, integers, integers, counts, counts, st.integers(0, 2**42), st.none() | st.text(min_size=1, max_size=8)
)
segments = st.dictionaries(st.text(min_size=1, max_size=12), rows.map(list), max_size=8)


@given(segments)
def test_packed_is_opened_to_the_same(segment: OpenSegment) -> None:
    packed = PackedSegment.of(segment)
    assert packed.opened() == segment
    assert dict(packed.items()) == segment
    assert packed.interned() == packed
    assert list(packed.tokens) == sorted(segment)


@given(segments, st.text(max_size=3))
def test_a_row_is_found_by_its_token_alone(segment: OpenSegment, other: str) -> None:
    packed = PackedSegment.of(segment)
    for token, row in segment.items():
        assert packed.get(token) == row
    assert packed.get(other) == segment.get(other)


@given(segments)
def test_what_is_opened_is_a_copy(segment: OpenSegment) -> None:
    packed = PackedSegment.of(segment)
    for row in packed.opened().values():
        row[0] += 1
    assert packed.opened() == segment


@given(st.lists(integers))
def test_columns_hold_any_integers(values: list[int]) -> None:
    column = pack_column(values)
    assert list(column) == values
    assert len(column) == len(values)
    assert [column[i] for i in range(len(values))] == values


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        (2**63 - 1, array),
        (-(2**63), array),
        (2**63, SplitColumn),
        (-(2**63) - 1, SplitColumn),
        (2**123 - 1, SplitColumn),
        (-(2**123), SplitColumn),
        (2**123, tuple),
        (-(2**123) - 1, tuple),
    ],
)
def test_a_column_is_no_wider_than_it_has_to_be(value: int, kind: type) -> None:
    column = pack_column([0, value])
    assert isinstance(column, kind)
    assert list(column) == [0, value]
