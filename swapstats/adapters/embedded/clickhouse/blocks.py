"""Walks through native blocks, column by column: nothing but the columns' types and the number of rows says where a
column ends, or a whole block. Layouts: ClickHouse's src/DataTypes/Serializations.
"""

import re
from collections.abc import Callable
from typing import Any, Protocol

from clickhouse_driver.bufferedreader import CompressedBufferedReader
from clickhouse_driver.bufferedwriter import CompressedBufferedWriter
from clickhouse_driver.reader import read_binary_int32, read_binary_str, read_binary_uint8, read_binary_uint64
from clickhouse_driver.varint import read_varint, write_varint
from clickhouse_driver.writer import write_binary_str, write_binary_uint64

BUFFER_BYTES = 1 << 20

FIXED_BYTES = {
    **dict.fromkeys(("Bool", "Int8", "UInt8", "Enum8", "Nothing"), 1),
    **dict.fromkeys(("Int16", "UInt16", "Enum16", "Date"), 2),
    **dict.fromkeys(("Int32", "UInt32", "Float32", "Date32", "DateTime", "IPv4"), 4),
    **dict.fromkeys(("Int64", "UInt64", "Float64", "DateTime64"), 8),
    **dict.fromkeys(("Int128", "UInt128", "UUID", "IPv6"), 16),
    **dict.fromkeys(("Int256", "UInt256"), 32),
}
_TYPE = re.compile(r"(\w+)(?:\((.*)\))?", re.DOTALL)


class Sink(Protocol):
    def write(self, data: bytes, /) -> Any: ...


class UnsupportedType(Exception):  # noqa: N818 - reads as what it says
    """A column type whose values cannot be told apart here."""


def copy_block(reader: Any, sink: Sink) -> int:
    """Reads a block from `reader` (clickhouse-driver's buffered readers) and writes it to `sink` in `Native` format.

    The number of its columns; an empty one is not written. Raises UnsupportedType.
    """
    _skip_block_info(reader)
    columns, rows = read_varint(reader), read_varint(reader)
    if columns:
        writer = CompressedBufferedWriter(sink, BUFFER_BYTES)
        write_varint(columns, writer)
        write_varint(rows, writer)
        for _ in range(columns):
            _copy_column(rows, reader, writer)
        writer.flush()
    return int(columns)


def columns_of(block: bytes) -> list[tuple[str, str]]:
    """Names and types of the columns of a block in `Native` format. Raises UnsupportedType."""
    reader = CompressedBufferedReader(iter([block]).__next__, BUFFER_BYTES)
    writer = CompressedBufferedWriter(_Nowhere(), BUFFER_BYTES)
    columns, rows = read_varint(reader), read_varint(reader)
    return [_copy_column(rows, reader, writer) for _ in range(columns)]


class _Nowhere:
    def write(self, data: bytes, /) -> None:
        """Lets it go."""


def _skip_block_info(reader: Any) -> None:
    while field := read_varint(reader):
        if field == 1:
            read_binary_uint8(reader)  # is_overflows
        else:
            read_binary_int32(reader)  # bucket_num


def _copy_column(rows: int, reader: Any, writer: Any) -> tuple[str, str]:
    name, kind = read_binary_str(reader), read_binary_str(reader)
    write_binary_str(name, writer)
    write_binary_str(kind, writer)
    if rows:
        _copy_values(kind, rows, reader, writer)
    return name, kind


def _copy_values(kind: str, rows: int, reader: Any, writer: Any) -> None:
    name, arguments = _parse(kind)
    if name in _COMPOSED:
        _COMPOSED[name](arguments, rows, reader, writer)
    else:
        writer.write(reader.read(rows * _fixed_bytes(name, arguments)))


def _parse(kind: str) -> tuple[str, str]:
    match = _TYPE.fullmatch(kind)
    if match is None:
        raise UnsupportedType(f"cannot read a column of type {kind}")
    return match[1], match[2] or ""


def _fixed_bytes(name: str, arguments: str) -> int:
    if name == "FixedString":
        return int(arguments)
    if name == "Decimal":
        precision = int(arguments.partition(",")[0])
        return next(size for digits, size in ((9, 4), (18, 8), (38, 16), (76, 32)) if precision <= digits)
    if name not in FIXED_BYTES:
        raise UnsupportedType(f"cannot read a column of type {name}({arguments})")
    return FIXED_BYTES[name]


def _copy_strings(_: str, rows: int, reader: Any, writer: Any) -> None:
    writer.write_strings(reader.read_strings(rows))


def _copy_nullable(inner: str, rows: int, reader: Any, writer: Any) -> None:
    writer.write(reader.read(rows))  # which are null
    _copy_values(inner, rows, reader, writer)


def _copy_array(inner: str, rows: int, reader: Any, writer: Any) -> None:
    offsets = reader.read(8 * rows)
    writer.write(offsets)
    if total := int.from_bytes(offsets[-8:], "little"):
        _copy_values(inner, total, reader, writer)


def _copy_tuple(elements: str, rows: int, reader: Any, writer: Any) -> None:
    for element in _elements(elements):
        _copy_values(element, rows, reader, writer)


def _elements(arguments: str) -> list[str]:
    """The types among a tuple's arguments, each of which may have a name before it."""
    parts, depth = [""], 0
    for letter in arguments:
        depth += (letter == "(") - (letter == ")")
        if letter == "," and not depth:
            parts.append("")
        else:
            parts[-1] += letter
    return [re.sub(r"^\s*\w+ (?=[A-Z])", "", part).strip() for part in parts]


def _copy_low_cardinality(inner: str, _: int, reader: Any, writer: Any) -> None:
    """Version, flags (the low byte says how wide an index is), the dictionary, and one index into it per row."""
    _version, flags, keys = (_copy_uint64(reader, writer) for _ in range(3))
    _copy_values(_without_nullable(inner), keys, reader, writer)
    indexes = _copy_uint64(reader, writer)
    writer.write(reader.read(indexes << (flags & 0xFF)))


def _without_nullable(inner: str) -> str:
    """A dictionary stores null as its first key, without a map of nulls."""
    name, arguments = _parse(inner)
    return arguments if name == "Nullable" else inner


def _copy_uint64(reader: Any, writer: Any) -> int:
    value = int(read_binary_uint64(reader))
    write_binary_uint64(value, writer)
    return value


_COMPOSED: dict[str, Callable[[str, int, Any, Any], None]] = {
    "String": _copy_strings,
    "Nullable": _copy_nullable,
    "Array": _copy_array,
    "LowCardinality": _copy_low_cardinality,
    "Tuple": _copy_tuple,
}
