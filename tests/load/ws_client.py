"""A lean WebSocket client for loads of thousands: it checks every patch for gaps, and keeps latencies."""

import asyncio
import base64
import os
import struct
import time
from array import array
from collections.abc import Sequence
from datetime import datetime

import msgspec

TEXT, CLOSE, PING, PONG = 1, 8, 9, 10
HEADER = 2
CLOCK_EVERY = 16
"""Of how many frames one is timed in full; parsing each one's times would load the client more than the server."""


class _Data(msgspec.Struct):
    as_of: str


class _Item(msgspec.Struct):
    topic: str
    epoch: str
    prev: int
    seq: int
    data: msgspec.Raw


class _Message(msgspec.Struct):
    type: str
    topic: str = ""
    epoch: str = ""
    seq: int = 0
    ts: str = ""
    items: Sequence[_Item] = ()
    reason: str = ""


_decode = msgspec.json.Decoder(_Message).decode
_decode_data = msgspec.json.Decoder(_Data).decode


class Tally:
    """What all clients saw together. Latencies in milliseconds: from the frame's making, and from the worker's tick."""

    def __init__(self) -> None:
        self.connected = self.snapshots = self.frames = self.patches = self.gaps = self.bytes = self.lost = 0
        self.byes: dict[str, int] = {}
        self.from_frame = array("d")
        self.from_tick = array("d")

    def restart(self) -> None:
        """Count anew: what came before was only the beginning."""
        self.frames = self.patches = self.bytes = 0
        del self.from_frame[:], self.from_tick[:]


class LoadClient(asyncio.Protocol):
    """Follows its topics from the moment it is connected. A stalled one stops reading after its snapshots."""

    def __init__(self, topics: Sequence[str], tally: Tally, *, stalled: bool = False) -> None:
        self._topics = topics
        self._tally = tally
        self._stalled = stalled
        self._at: dict[str, tuple[str, int]] = {}
        self._buffer = bytearray()
        self._is_open = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        key = base64.b64encode(os.urandom(16)).decode()
        transport.write(
            b"GET /ws HTTP/1.1\r\nHost: load\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: " + key.encode() + b"\r\n\r\n"
        )

    def connection_lost(self, exc: Exception | None) -> None:
        self._tally.lost += 1

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        if not self._is_open and not self._open():
            return
        while (frame := self._next()) is not None:
            self._take(*frame)

    def _open(self) -> bool:
        end = self._buffer.find(b"\r\n\r\n")
        if end < 0:
            return False
        assert self._buffer.startswith(b"HTTP/1.1 101"), bytes(self._buffer[:200])
        del self._buffer[: end + 4]
        self._is_open = True
        self._tally.connected += 1
        self._send(TEXT, msgspec.json.encode({"subscribe": self._topics}))
        return True

    def _next(self) -> tuple[int, bytes] | None:
        buffer = self._buffer
        if len(buffer) < HEADER:
            return None
        size, start = buffer[1], HEADER
        if size == 126:
            size, start = int.from_bytes(buffer[2:4]), 4
        elif size == 127:
            size, start = int.from_bytes(buffer[2:10]), 10
        if len(buffer) < start + size or (buffer[1] >= 126 and len(buffer) < start):
            return None
        opcode, payload = buffer[0] & 15, bytes(buffer[start : start + size])
        del buffer[: start + size]
        return opcode, payload

    def _take(self, opcode: int, payload: bytes) -> None:
        if opcode == PING:
            self._send(PONG, payload)
        elif opcode == TEXT:
            self._hear(payload)

    def _hear(self, payload: bytes) -> None:
        tally, message = self._tally, _decode(payload)
        if message.type == "patches":
            tally.frames += 1
            tally.bytes += len(payload)
            tally.patches += len(message.items)
            for item in message.items:
                tally.gaps += self._at[item.topic] != (item.epoch, item.prev)
                self._at[item.topic] = item.epoch, item.seq
            if tally.frames % CLOCK_EVERY == 0:
                self._time(message)
        elif message.type == "snapshot":
            tally.snapshots += 1
            self._at[message.topic] = message.epoch, message.seq
            if self._stalled and len(self._at) == len(self._topics):
                self._transport.pause_reading()
        elif message.type == "bye":
            tally.byes[message.reason] = tally.byes.get(message.reason, 0) + 1

    def _time(self, message: _Message) -> None:
        now_ms = time.time() * 1000
        self._tally.from_frame.append(now_ms - _ms(message.ts))
        self._tally.from_tick.append(now_ms - _ms(_decode_data(message.items[0].data).as_of))

    def _send(self, opcode: int, payload: bytes) -> None:
        """Masked with zeros, which is a mask too."""
        size = len(payload)
        head = (
            struct.pack("!BB", 128 | opcode, 128 | size) if size < 126 else struct.pack("!BBH", 128 | opcode, 254, size)
        )
        self._transport.write(head + bytes(4) + payload)


def _ms(text: str) -> float:
    return datetime.fromisoformat(text).timestamp() * 1000
