"""The server's side of ClickHouse's native protocol, revision 54429, over one socket.

At this revision settings travel as strings and columns in their plain serialization, so a Data packet is a block info
and the engine's own `Native` output. Layouts: the enums of ClickHouse's src/Core/Protocol.h, and TCPHandler.cpp.
A compressed block is one LZ4 frame, checksummed with CityHash128 (src/Compression/CompressedReadBuffer).
"""

import io
import socket
from typing import NamedTuple

from clickhouse_driver.bufferedreader import BufferedSocketReader, CompressedBufferedReader
from clickhouse_driver.compression import get_compressor_cls, get_decompressor_cls
from clickhouse_driver.reader import (
    read_binary_str,
    read_binary_uint8,
    read_binary_uint128,
)
from clickhouse_driver.varint import read_varint, write_varint
from clickhouse_driver.writer import write_binary_int32, write_binary_str, write_binary_uint8, write_binary_uint128

from swapstats.adapters.embedded.clickhouse.blocks import copy_block

REVISION = 54429
BUFFER_BYTES = 1 << 20

CLIENT_HELLO, CLIENT_QUERY, CLIENT_DATA, CLIENT_CANCEL, CLIENT_PING = range(5)
SERVER_HELLO, SERVER_DATA, SERVER_EXCEPTION, SERVER_PROGRESS, SERVER_PONG, SERVER_END_OF_STREAM = range(6)

BLOCK_INFO = bytes((1, 0, 2, 255, 255, 255, 255, 0))
"""Field 1: is_overflows = 0; field 2: bucket_num = -1; end."""
EMPTY_BLOCK = bytes((0, 0))


class Hello(NamedTuple):
    client: str
    database: str


class Query(NamedTuple):
    text: str
    settings: dict[str, str]
    important: frozenset[str]
    """Settings that must be known; others that the engine does not know are ignored."""
    compressed: bool


class ProtocolError(Exception):
    """The client said something that this side of the protocol has no answer to."""


class Wire:
    """Reads a client's packets and writes ours. Reading raises EOFError when the client is gone."""

    def __init__(self, connection: socket.socket) -> None:
        self._socket = connection
        self._plain = BufferedSocketReader(connection, BUFFER_BYTES)
        self._unpacked = CompressedBufferedReader(self._read_frame, BUFFER_BYTES)

    def read_packet_type(self) -> int:
        return int(read_varint(self._plain))

    def read_hello(self) -> Hello:
        client = read_binary_str(self._plain)
        for _ in ("major version", "minor version", "revision"):
            read_varint(self._plain)
        database, _user, _password = (read_binary_str(self._plain) for _ in range(3))
        return Hello(client, database)

    def read_query(self) -> Query:
        read_binary_str(self._plain)  # query id
        self._skip_client_info()
        settings, important = self._read_settings()
        read_varint(self._plain)  # processing stage: always complete
        compressed = bool(read_varint(self._plain))
        return Query(read_binary_str(self._plain), settings, important, compressed)

    def _skip_client_info(self) -> None:
        if not read_binary_uint8(self._plain):
            return
        for _ in ("user", "query id", "address"):
            read_binary_str(self._plain)
        if read_binary_uint8(self._plain) != 1:
            raise ProtocolError("only the TCP interface is spoken here")
        for _ in ("os user", "host", "client"):
            read_binary_str(self._plain)
        for _ in ("major version", "minor version", "revision"):
            read_varint(self._plain)
        read_binary_str(self._plain)  # quota key
        read_varint(self._plain)  # version patch

    def _read_settings(self) -> tuple[dict[str, str], frozenset[str]]:
        settings, important = {}, set()
        while name := read_binary_str(self._plain):
            if read_binary_uint8(self._plain) & 1:
                important.add(name)
            settings[name] = read_binary_str(self._plain)
        return settings, frozenset(important)

    def read_block(self, compressed: bool, sink: io.RawIOBase | io.BytesIO) -> int:
        """Copies the next Data packet's block to `sink` in `Native` format; its number of columns, 0 for the block
        that ends the data."""
        if self.read_packet_type() != CLIENT_DATA:
            raise ProtocolError("expected a Data packet")
        if read_binary_str(self._plain):
            raise ProtocolError("external tables are not supported")
        return copy_block(self._unpacked if compressed else self._plain, sink)

    def _read_frame(self) -> bytes:
        checksum = read_binary_uint128(self._plain)
        method = read_binary_uint8(self._plain)
        frame = get_decompressor_cls(method)(self._plain)
        return bytes(frame.get_decompressed_data(method, checksum, 1))

    def send_hello(self, name: str, version: tuple[int, int, int], timezone: str) -> None:
        packet = _packet(SERVER_HELLO)
        write_binary_str(name, packet)
        for number in (*version[:2], REVISION):
            write_varint(number, packet)
        write_binary_str(timezone, packet)
        write_binary_str(name, packet)
        write_varint(version[2], packet)
        self._socket.sendall(packet.getvalue())

    def send_block(self, native: bytes, compressed: bool) -> None:
        """`native` is one block in `Native` format."""
        packet = _packet(SERVER_DATA)
        write_binary_str("", packet)  # table name
        packet.write(_frame(BLOCK_INFO + native) if compressed else BLOCK_INFO + native)
        self._socket.sendall(packet.getvalue())

    def send_exception(self, code: int, message: str) -> None:
        packet = _packet(SERVER_EXCEPTION)
        write_binary_int32(code, packet)
        for text in ("DB::Exception", message, ""):
            write_binary_str(text, packet)
        write_binary_uint8(0, packet)  # nothing nested
        self._socket.sendall(packet.getvalue())

    def send_pong(self) -> None:
        self._socket.sendall(_packet(SERVER_PONG).getvalue())

    def send_end_of_stream(self) -> None:
        self._socket.sendall(_packet(SERVER_END_OF_STREAM).getvalue())


def header_block(columns: list[tuple[str, str]]) -> bytes:
    """A block of these columns (name, type) without rows, in `Native` format."""
    block = io.BytesIO()
    write_varint(len(columns), block)
    write_varint(0, block)
    for name, kind in columns:
        write_binary_str(name, block)
        write_binary_str(kind, block)
    return block.getvalue()


def _packet(kind: int) -> io.BytesIO:
    packet = io.BytesIO()
    write_varint(kind, packet)
    return packet


def _frame(data: bytes) -> bytes:
    from clickhouse_cityhash.cityhash import CityHash128

    compressor = get_compressor_cls("lz4")()
    compressor.write(data)
    body = bytes((compressor.method_byte,)) + compressor.get_compressed_data(1)
    frame = io.BytesIO()
    write_binary_uint128(CityHash128(body), frame)
    frame.write(body)
    return frame.getvalue()
