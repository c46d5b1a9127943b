"""One client's conversation with the engine."""

import contextlib
import io
import os
import select
import socket
from collections.abc import Callable, Generator

from swapstats.adapters.embedded.clickhouse import wire
from swapstats.adapters.embedded.clickhouse.blocks import UnsupportedType, columns_of
from swapstats.adapters.embedded.clickhouse.engine import Engine, EngineError, Insert, is_select
from swapstats.adapters.embedded.clickhouse.wire import ProtocolError, Query, Wire

NAME = "ClickHouse"
TIMEZONE = "UTC"
UNEXPECTED_PACKET = 101
UNKNOWN_TYPE = 50


class Session:
    """Answers one socket until the client leaves, or `close` is called from another thread."""

    def __init__(self, connection: socket.socket, open_engine: Callable[[], Engine]) -> None:
        self._socket = connection
        self._open_engine = open_engine
        self._wire = Wire(connection)

    def run(self) -> None:
        with self._socket, contextlib.suppress(EOFError, OSError):
            try:
                self._converse()
            except ProtocolError as error:
                self._wire.send_exception(UNEXPECTED_PACKET, f"DB::Exception: {error}")

    def close(self) -> None:
        """Ends the conversation: whoever reads the socket reads its end."""
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)

    def _converse(self) -> None:
        if self._wire.read_packet_type() != wire.CLIENT_HELLO:
            raise ProtocolError("expected Hello")
        hello = self._wire.read_hello()
        with contextlib.closing(self._open_engine()) as engine:
            if self._greet(engine, hello.database):
                while True:
                    self._answer(engine)

    def _greet(self, engine: Engine, database: str) -> bool:
        try:
            engine.use(database or "default")
        except EngineError as error:
            self._wire.send_exception(error.code, str(error))
            return False
        self._wire.send_hello(NAME, engine.version(), TIMEZONE)
        return True

    def _answer(self, engine: Engine) -> None:
        kind = self._wire.read_packet_type()
        if kind == wire.CLIENT_PING:
            self._wire.send_pong()
        elif kind == wire.CLIENT_QUERY:
            self._answer_query(engine, self._wire.read_query())
        elif kind != wire.CLIENT_CANCEL:  # a Cancel of what has ended meanwhile needs no answer
            raise ProtocolError(f"packet type {kind} is not supported")

    def _answer_query(self, engine: Engine, query: Query) -> None:
        """What the client has sent is read before anything can fail, so that the next packet is found."""
        if self._wire.read_block(query.compressed, io.BytesIO()):
            raise ProtocolError("external tables are not supported")
        try:
            engine.apply(query.settings, query.important)
            insert = engine.parse_insert(query.text)
            if insert:
                self._insert(engine, insert, query)
            else:
                self._select(engine, query)
        except EngineError as error:
            self._wire.send_exception(error.code, str(error))

    def _select(self, engine: Engine, query: Query) -> None:
        """A block without rows comes first: clients take the columns' names and types from it."""
        columns, blocks = _begin(engine, query.text)
        with contextlib.closing(blocks):
            self._wire.send_block(wire.header_block(columns), query.compressed)
            for block in blocks:
                self._wire.send_block(block, query.compressed)
                if self._cancelled():
                    break
        self._wire.send_end_of_stream()

    def _cancelled(self) -> bool:
        """Whether the client has spoken while we answer: it can only be a Cancel."""
        return bool(select.select([self._socket], [], [], 0)[0])

    def _insert(self, engine: Engine, insert: Insert, query: Query) -> None:
        self._wire.send_block(wire.header_block(insert.columns), query.compressed)
        with os.fdopen(os.memfd_create("insert"), "r+b", buffering=0) as data:
            self._receive(query.compressed, data)
            if data.tell():
                engine.insert(insert, data.fileno())
        self._wire.send_end_of_stream()

    def _receive(self, compressed: bool, data: io.RawIOBase | io.BytesIO) -> None:
        """All blocks up to the empty one that closes the data."""
        try:
            while self._wire.read_block(compressed, data):
                pass
        except UnsupportedType as error:  # the rest of the stream cannot be told apart
            self._wire.send_exception(UNKNOWN_TYPE, f"DB::Exception: {error}")
            raise EOFError from error


def _begin(engine: Engine, text: str) -> tuple[list[tuple[str, str]], Generator[bytes]]:
    """The columns of a query's result, and its blocks. The first block shows the columns, if there is one and its types
    are plain; otherwise the engine is asked, which it only can be while no result is under way."""
    blocks = engine.blocks(text)
    first = next(blocks, None)
    if first is None:
        return engine.header(text), blocks
    try:
        return columns_of(first), _chain(first, blocks)
    except UnsupportedType:
        if not is_select(text):
            return [], _chain(first, blocks)
    blocks.close()
    return engine.header(text), engine.blocks(text)


def _chain(first: bytes, others: Generator[bytes]) -> Generator[bytes]:
    with contextlib.closing(others):
        yield first
        yield from others
