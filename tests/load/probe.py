"""Swaps of a token of our own, one after the other, each waited for until a WebSocket frame shows it."""

import asyncio
import json
import random
import time
from typing import Any

from confluent_kafka import Producer
from websockets.asyncio.client import connect

from swapstats.ports.swap_sink import Sent
from tests.load.bench_live import PROBE, shows, swap


class Probe:
    """`sent` is its journal, `times_ms` how long each took; a new round empties only the latter."""

    def __init__(self, brokers: str, topic: str, port: int) -> None:
        self.sent: list[Sent] = []
        self.times_ms: list[float] = []
        self._producer = Producer({"bootstrap.servers": brokers, "linger.ms": 0})
        self._topic, self._port = topic, port
        self._dice = random.Random(3)
        self._number = 0

    async def run(self, seconds: float) -> None:
        self.times_ms = []
        until = time.monotonic() + seconds
        async with connect(f"ws://127.0.0.1:{self._port}/ws", max_size=None) as socket:
            await socket.send(json.dumps({"subscribe": f"token:{PROBE}"}))
            while time.monotonic() < until:
                await self._one(socket)
                await asyncio.sleep(self._dice.uniform(0.05, 0.25))
        self._producer.flush(30)

    async def _one(self, socket: object) -> None:
        self._number += 1
        began = time.perf_counter()
        self._producer.produce(self._topic, swap(self._number), PROBE.encode(), on_delivery=self._note)
        self._producer.poll(0)
        await shows(socket, self._number)
        self.times_ms.append((time.perf_counter() - began) * 1000)

    def _note(self, error: Any, message: Any) -> None:
        assert error is None, error
        place = message.timestamp()[1], message.partition(), message.offset()
        self.sent.append(Sent(message.key(), message.value(), *place))
