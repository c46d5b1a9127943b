"""What the load tool's client makes of bytes, however the connection cuts them."""

import asyncio
import json
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime.server import text_frame
from tests.load.ws_client import RECEIVED, LoadClient, Tally

TOPIC = "token:1:0xa"


class Wire(asyncio.Transport):
    def write(self, data: bytes | bytearray | memoryview) -> None:
        """What a client says is of no interest here."""


def heard(pieces: list[bytes]) -> Tally:
    tally = Tally()
    client = LoadClient([TOPIC], tally)
    client.connection_made(Wire())
    for piece in pieces:
        RECEIVED[: len(piece)] = piece
        client.buffer_updated(len(piece))
    return tally


def patches(prev: int, filler: int) -> bytes:
    item = {"topic": TOPIC, "epoch": "e", "prev": prev, "seq": prev + 1, "data": {"as_of": "x" * filler}}
    return text_frame(json.dumps({"type": "patches", "ts": "", "items": [item]}).encode())


SNAPSHOT = text_frame(json.dumps({"type": "snapshot", "topic": TOPIC, "epoch": "e", "seq": 1}).encode())
HANDSHAKE = b"HTTP/1.1 101 Switching Protocols\r\n\r\n"
STREAM = HANDSHAKE + SNAPSHOT + patches(1, 0) + patches(2, 500) + patches(3, 70_000)


@given(st.lists(st.integers(0, len(STREAM)), max_size=6))
def test_frames_are_read_wherever_they_are_cut(cuts: list[int]) -> None:
    edges = [0, *sorted(cuts), len(STREAM)]
    tally = heard([STREAM[start:end] for start, end in pairwise(edges) if start < end])
    assert (tally.connected, tally.snapshots, tally.frames, tally.patches, tally.gaps) == (1, 1, 3, 3, 0)


@pytest.mark.parametrize("prev", [1, 3])
def test_a_patch_that_does_not_follow_is_a_gap(prev: int) -> None:
    tally = heard([HANDSHAKE + SNAPSHOT + patches(1, 0), patches(prev, 0)])
    assert (tally.patches, tally.gaps) == (2, 1)
