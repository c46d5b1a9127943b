"""Requests at a constant rate, whether the server keeps up or not: `python -m tests.load.http_rate URL`.

Each request has an instant at which it is due, and its latency counts from there: one that had to wait because those
before it were slow has waited, as its user would have ("coordinated omission" would leave that out).
"""

import asyncio
import itertools
import json
import random
import time
from argparse import ArgumentParser
from array import array
from collections import Counter, deque
from collections.abc import Iterator, Sequence
from typing import NamedTuple
from urllib.parse import urlsplit
from urllib.request import urlopen

from tests.load.report import percentile

CONNECTIONS = 200
TICK_S = 0.001
PATIENCE_S = 60
HEAD_END = b"\r\n\r\n"
LENGTH = b"content-length:"


class Shots(NamedTuple):
    """What came of it: `latencies_ms` from due to answered, `lost` those without an answer."""

    wanted_per_s: float
    took_s: float
    statuses: dict[int, int]
    lost: int
    latencies_ms: Sequence[float]

    @property
    def per_second(self) -> float:
        """Answers; the last ones included, however late."""
        return len(self.latencies_ms) / self.took_s

    @property
    def failed(self) -> int:
        """All that was not answered with 200."""
        return self.lost + sum(count for status, count in self.statuses.items() if status != 200)


class Gun:
    """Asks for `paths`, one after the other and round again, over connections that are kept open."""

    def __init__(self, url: str, paths: list[str]) -> None:
        parts = urlsplit(url)
        self._host, self._port = parts.hostname or "127.0.0.1", parts.port or 80
        self._requests: Iterator[bytes] = itertools.cycle([_request(parts.netloc, path) for path in paths])
        self._free: list[_Connection] = []
        self._due: deque[float] = deque()
        self.statuses: Counter[int] = Counter()
        self.latencies_ms = array("d")
        self.lost = 0

    async def fire(self, rate: float, seconds: float) -> Shots:
        loop, total = asyncio.get_running_loop(), int(rate * seconds)
        for _ in range(min(CONNECTIONS, total)):
            await self.connect()
        began, sent = loop.time(), 0
        while sent < total:
            while sent < total and began + sent / rate <= loop.time():
                self._due.append(began + sent / rate)
                sent += 1
            self._hand_out()
            await asyncio.sleep(TICK_S)
        deadline = loop.time() + PATIENCE_S
        while len(self.latencies_ms) + self.lost < total and loop.time() < deadline:
            await asyncio.sleep(TICK_S)
        lost = total - len(self.latencies_ms)
        return Shots(rate, loop.time() - began, dict(self.statuses), lost, self.latencies_ms)

    async def connect(self) -> None:
        await asyncio.get_running_loop().create_connection(lambda: _Connection(self), self._host, self._port)

    def is_free(self, connection: "_Connection") -> None:
        self._free.append(connection)
        self._hand_out()

    def is_gone(self, connection: "_Connection") -> None:
        if connection in self._free:
            self._free.remove(connection)
        self._opening = asyncio.ensure_future(self.connect())

    def _hand_out(self) -> None:
        while self._due and self._free:
            self._free.pop().ask(next(self._requests), self._due.popleft())


class _Connection(asyncio.Protocol):
    """One request at a time."""

    def __init__(self, gun: Gun) -> None:
        self._gun = gun
        self._buffer = bytearray()
        self._due: float | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._gun.is_free(self)

    def ask(self, request: bytes, due: float) -> None:
        self._due = due
        self._transport.write(request)

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        end = self._buffer.find(HEAD_END)
        if end < 0 or len(self._buffer) < end + len(HEAD_END) + _length(self._buffer[:end]):
            return
        assert self._due is not None
        self._gun.statuses[int(self._buffer[9:12])] += 1
        self._gun.latencies_ms.append((asyncio.get_running_loop().time() - self._due) * 1000)
        self._due = None
        self._buffer.clear()
        self._gun.is_free(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self._gun.lost += self._due is not None
        self._gun.is_gone(self)


def _request(host: str, path: str) -> bytes:
    return f"GET {path} HTTP/1.1\r\nHost: {host}\r\nAccept: application/json\r\n\r\n".encode()


def _length(head: bytearray) -> int:
    at = head.lower().find(LENGTH)
    assert at >= 0, f"an answer without a length: {bytes(head)!r}"
    return int(head[at + len(LENGTH) :].split(b"\r\n", 1)[0])


def pages(url: str, seed: int = 5) -> list[str]:
    """What people ask for: mostly one token, sometimes the overview or several tokens at once."""
    dice = random.Random(seed)
    with urlopen(f"{url}/api/overview?windows=5m&limit=100", timeout=10) as answer:  # noqa: S310 - given by the caller
        ids = [row["token"]["id"] for row in json.load(answer)["windows"]["5m"]]
    assert ids, f"{url} knows no token yet"
    return [_page(dice, ids) for _ in range(1_000)]


def _page(dice: random.Random, ids: list[str]) -> str:
    share = dice.random()
    if share < 0.7:
        return f"/api/tokens/{dice.choice(ids)}/stats"
    if share < 0.9:
        return f"/api/overview?windows={dice.choice(('5m', '1h', '24h'))}&limit=10"
    return f"/api/tokens/stats?ids={','.join(dice.sample(ids, min(10, len(ids))))}&windows=5m"


def shoot(url: str, rate: float, seconds: float) -> Shots:
    """`rate` requests a second for so long. `OSError` where nobody listens."""
    return asyncio.run(Gun(url, pages(url)).fire(rate, seconds))


def main() -> None:
    parser = ArgumentParser(description=__doc__)
    parser.add_argument("url", help="address of the site, such as http://127.0.0.1:8080")
    parser.add_argument("--rate", type=float, default=1_000, help="requests a second (default: 1000)")
    parser.add_argument("--seconds", type=float, default=60, help="for how long (default: 60)")
    options = parser.parse_args()
    began = time.process_time()
    shots = shoot(options.url, options.rate, options.seconds)
    told = " · ".join(f"p{100 * share:g} {percentile(shots.latencies_ms, share):.1f}" for share in (0.5, 0.9, 0.99, 1))
    print(f"{shots.per_second:,.0f} answers/s of {options.rate:,.0f} wanted, by status {shots.statuses}")
    print(f"{shots.failed} failed · ms from due to answered: {told}")
    print(f"this client's own CPU: {(time.process_time() - began) / shots.took_s:.0%} of a core")


if __name__ == "__main__":
    main()
