"""Parts survive their encoding to the last digit, whatever their size."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from swapstats.domain.part_codec import decode_part, encode_part
from swapstats.domain.stats import Edge, Part, WindowPart

AMOUNTS = st.integers(min_value=-(10**70), max_value=10**70)
TIMES = st.integers(min_value=0, max_value=2**53)
COUNTS = st.integers(min_value=0, max_value=2**63 - 1)
EDGES = st.none() | st.builds(Edge, TIMES, COUNTS, AMOUNTS, AMOUNTS)
WINDOWS = st.builds(WindowPart, AMOUNTS, AMOUNTS, AMOUNTS, COUNTS, COUNTS, EDGES)
SYMBOLS = st.none() | st.text(st.characters(exclude_categories=["Cs"]), max_size=64)
PARTS = st.builds(Part, SYMBOLS, TIMES, EDGES, st.lists(WINDOWS, max_size=4).map(tuple))


@given(PARTS)
def test_a_part_comes_back_as_it_was(part: Part) -> None:
    decoded = decode_part(encode_part(part))
    assert decoded == part
    assert [type(window) for window in decoded.windows] == [WindowPart] * len(part.windows)


def test_the_types_come_back_too() -> None:
    edge = Edge(1, 5_000, 2, 10**30)
    decoded = decode_part(encode_part(Part("USDC", 1, edge, (WindowPart(1, 2, 3, 4, 5, edge),))))
    assert isinstance(decoded.newest, Edge)
    assert isinstance(decoded.windows[0].oldest, Edge)


@pytest.mark.parametrize("data", [b"", b"{}", b"[1,2]", b'["USDC",1,null,[[1]]]', b"\xff\x00"])
def test_other_bytes_are_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match="not an encoded part"):
        decode_part(data)
