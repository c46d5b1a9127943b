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
RECEIVED = memoryview(bytearray(256 * 1024))
"""What was read last; taken or kept before anything else is read, so that all clients of a process share it."""
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


class LoadClient(asyncio.BufferedProtocol):
    """Follows its topics from the moment it is connected. A stalled one stops reading after its snapshots."""

    def __init__(self, topics: Sequence[str], tally: Tally, *, stalled: bool = False) -> None:
        self._topics = topics
        self._tally = tally
        self._stalled = stalled
        self._at: dict[str, tuple[str, int]] = {}
        self._rest = b""
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

    def get_buffer(self, sizehint: int) -> memoryview:
        return RECEIVED

    def buffer_updated(self, nbytes: int) -> None:
        """Mostly whole frames, which are read where they lie."""
        data = memoryview(self._rest + RECEIVED[:nbytes]) if self._rest else RECEIVED[:nbytes]
        at = 0 if self._is_open else self._open(bytes(data))
        while self._is_open and (frame := _frame(data[at:])) is not None:
            opcode, payload, size = frame
            self._take(opcode, payload)
            at += size
        self._rest = bytes(data[at:])

    def _open(self, data: bytes) -> int:
        """How many bytes the answer to the handshake has, once it is all there."""
        end = data.find(b"\r\n\r\n")
        if end < 0:
            return 0
        assert data.startswith(b"HTTP/1.1 101"), data[:200]
        self._is_open = True
        self._tally.connected += 1
        self._send(TEXT, msgspec.json.encode({"subscribe": self._topics}))
        return end + 4

    def _take(self, opcode: int, payload: memoryview) -> None:
        if opcode == PING:
            self._send(PONG, bytes(payload))
        elif opcode == TEXT:
            self._hear(payload)

    def _hear(self, payload: memoryview) -> None:
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


def _frame(data: memoryview) -> tuple[int, memoryview, int] | None:
    """The first frame's opcode and payload, and its size altogether; None while it is not all there."""
    if len(data) < HEADER:
        return None
    size, start = data[1], HEADER
    if size == 126:
        size, start = int.from_bytes(data[2:4]), 4
    elif size == 127:
        size, start = int.from_bytes(data[2:10]), 10
    end = start + size
    return (data[0] & 15, data[start:end], end) if len(data) >= end else None


def _ms(text: str) -> float:
    return datetime.fromisoformat(text).timestamp() * 1000
