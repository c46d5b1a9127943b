"""Segments as bytes, for checkpoints.

MessagePack of [format, tokens, symbols, columns…]; a column is little-endian 64-bit integers, a pair of those (high
and low 60 bits), or a list of decimal strings where a sum fits neither.
"""

import sys
from array import array
from collections.abc import Callable

import msgspec

from aggregator.windows.segments import Column, PackedSegment, SplitColumn
from swapstats.domain.errors import StoreError

FORMAT = 1

_Wire = bytes | tuple[bytes, bytes] | list[str]
_encoder = msgspec.msgpack.Encoder()


class _SegmentWire(msgspec.Struct, array_like=True):
    format: int
    tokens: tuple[str, ...]
    symbols: tuple[str | None, ...]
    columns: list[msgspec.Raw]


_segment = msgspec.msgpack.Decoder(_SegmentWire)
_column: Callable[[msgspec.Raw], object] = msgspec.msgpack.Decoder().decode


def encode_segment(segment: PackedSegment) -> bytes:
    columns = [_encode_column(column) for column in segment[2:]]
    return _encoder.encode([FORMAT, segment.tokens, segment.symbols, columns])


def decode_segment(data: bytes) -> PackedSegment:
    """Raises StoreError where `data` is not a segment of a format that we know."""
    try:
        wire = _segment.decode(data)
        columns = [_decode_column(_column(column)) for column in wire.columns]
        if wire.format == FORMAT and {len(wire.tokens)} == {len(wire.symbols), *map(len, columns)}:
            return PackedSegment(wire.tokens, wire.symbols, *columns)
    except (msgspec.DecodeError, TypeError, ValueError) as error:
        raise StoreError(f"a segment of a snapshot cannot be read: {error}") from error
    raise StoreError(f"a segment of a snapshot has format {wire.format} or uneven columns; expected format {FORMAT}")


def _encode_column(column: Column) -> object:
    if isinstance(column, SplitColumn):
        return _little_endian(column.high), _little_endian(column.low)
    return _little_endian(column) if isinstance(column, array) else [str(value) for value in column]


def _decode_column(wire: object) -> Column:
    match wire:
        case bytes():
            return _from_little_endian(wire)
        case [bytes(high), bytes(low)] if len(high) == len(low):
            return SplitColumn(_from_little_endian(high), _from_little_endian(low))
        case list():
            return tuple(int(value) for value in wire)
    raise TypeError(f"expected a column, got {type(wire).__name__}")


def _little_endian(values: "array[int]") -> bytes:
    if sys.byteorder == "big":
        values = values[:]
        values.byteswap()
    return values.tobytes()


def _from_little_endian(data: bytes) -> "array[int]":
    values = array("q", data)
    if sys.byteorder == "big":
        values.byteswap()
    return values
