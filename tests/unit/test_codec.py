"""Segments as bytes and back."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aggregator.snapshot.codec import FORMAT, decode_segment, encode_segment
from aggregator.windows.segments import OpenSegment, PackedSegment
from swapstats.domain.errors import StoreError
from tests.unit.test_segments import segments


@given(segments)
def test_what_is_written_is_read_back(segment: OpenSegment) -> None:
    packed = PackedSegment.of(segment)
    decoded = decode_segment(encode_segment(packed))
    assert decoded.opened() == segment
    assert encode_segment(decoded) == encode_segment(packed)


@pytest.mark.parametrize("amount", [2**63, 2**64, -(2**64), 2**123, -(2**123) - 1, 10**66])
def test_sums_beyond_64_and_123_bits(amount: int) -> None:
    segment = {"1:a": [amount, -amount, amount + 1, 1, 2, 3, "A"], "1:b": [1, 2, 3, 4, 5, 6, None]}
    assert decode_segment(encode_segment(PackedSegment.of(segment))).opened() == segment


def test_ordinary_segments_are_small() -> None:
    """40 bytes of name, then five columns of 8 bytes and one of 16."""
    segment = {f"1:0x{n:040x}": [10**9 + n, n, 10**21 + n, 5, 3, 1_700_000_000_000 + n, "SYM"] for n in range(1_000)}
    assert len(encode_segment(PackedSegment.of(segment))) < 110 * 1_000


def columns_of(segment: OpenSegment) -> list[object]:
    wire: list[object] = msgspec.msgpack.decode(encode_segment(PackedSegment.of(segment)))
    return wire


ROW = [1, 2, 3, 4, 5, 6, "A"]


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"garbage",
        msgspec.msgpack.encode(None),
        msgspec.msgpack.encode({}),
        msgspec.msgpack.encode([FORMAT]),
        msgspec.msgpack.encode([FORMAT + 1, *columns_of({"1:a": ROW})[1:]]),
        msgspec.msgpack.encode([*columns_of({"1:a": ROW})[:3], [bytes(8)] * 5]),
        msgspec.msgpack.encode([*columns_of({"1:a": ROW})[:3], [bytes(8)] * 7]),
        msgspec.msgpack.encode([*columns_of({"1:a": ROW})[:3], [bytes(7)] * 6]),
        msgspec.msgpack.encode([*columns_of({"1:a": ROW})[:3], [bytes(16)] * 6]),
        msgspec.msgpack.encode([*columns_of({"1:a": ROW})[:3], [["x"]] * 6]),
        msgspec.msgpack.encode([*columns_of({"1:a": ROW})[:3], [1] * 6]),
        msgspec.msgpack.encode([*columns_of({"1:a": ROW})[:3], [[bytes(8), bytes(16)]] * 6]),
        msgspec.msgpack.encode([FORMAT, ["1:a"], [], columns_of({"1:a": ROW})[3]]),
        encode_segment(PackedSegment.of({"1:a": ROW})) + b"more",
        encode_segment(PackedSegment.of({"1:a": ROW}))[:-1],
    ],
)
def test_anything_else_is_refused(data: bytes) -> None:
    with pytest.raises(StoreError, match="a segment of a snapshot"):
        decode_segment(data)


@given(st.binary(max_size=200))
def test_garbage_never_fails_otherwise(data: bytes) -> None:
    with pytest.raises(StoreError):
        decode_segment(data)
