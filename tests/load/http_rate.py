"""Requests at a constant rate, whether the server keeps up or not: `python -m tests.load.http_rate URL`.

Each request has an instant at which it is due, and its latency counts from there: one that had to wait because those
before it were slow has waited, as its user would have ("coordinated omission" would leave that out).
"""

import itertools
import json
import random
import select
import socket
import time
from argparse import ArgumentParser
from array import array
from collections import Counter, deque
from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import NamedTuple
from urllib.parse import urlsplit
from urllib.request import urlopen

from tests.load.report import percentile

CONNECTIONS = 200
MAX_RECEIVED = 1 << 16
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
    """Asks for `paths`, one after the other and round again, over connections that are kept open; in one thread, for
    what it takes itself is taken from a server on the same machine."""

    def __init__(self, url: str, paths: list[str]) -> None:
        parts = urlsplit(url)
        self._address = parts.hostname or "127.0.0.1", parts.port or 80
        self._requests: Iterator[bytes] = itertools.cycle([_request(parts.netloc, path) for path in paths])
        self._connections: dict[int, _Connection] = {}
        self._free: list[_Connection] = []
        self._due: deque[float] = deque()
        self.statuses: Counter[int] = Counter()
        self.latencies_ms = array("d")
        self.lost = 0

    def fire(self, rate: float, seconds: float) -> Shots:
        total = int(rate * seconds)
        with select.epoll() as self._readable:
            for _ in range(min(CONNECTIONS, total)):
                self._connect()
            began = time.perf_counter()
            self._fire_all([began + number / rate for number in range(total)])
            took = time.perf_counter() - began
            for connection in self._connections.values():
                connection.socket.close()
        return Shots(rate, took, dict(self.statuses), total - len(self.latencies_ms), self.latencies_ms)

    def _fire_all(self, instants: list[float]) -> None:
        begun, deadline = 0, instants[-1] + PATIENCE_S
        while len(self.latencies_ms) + self.lost < len(instants) and (now := time.perf_counter()) < deadline:
            while begun < len(instants) and instants[begun] <= now:
                self._due.append(instants[begun])
                begun += 1
            while self._due and self._free:
                self._ask(self._free.pop(), self._due.popleft())
            following = instants[begun] if begun < len(instants) else deadline
            for number, _ in self._readable.poll(max(0.0, following - time.perf_counter())):
                self._hear(self._connections[number])

    def _connect(self) -> None:
        connection = _Connection(socket.create_connection(self._address))
        self._connections[connection.socket.fileno()] = connection
        self._readable.register(connection.socket, select.EPOLLIN)
        self._free.append(connection)

    def _ask(self, connection: "_Connection", due: float) -> None:
        connection.due = due
        with suppress(OSError):  # it is gone, as is heard next
            connection.socket.sendall(next(self._requests))

    def _hear(self, connection: "_Connection") -> None:
        try:
            received = connection.socket.recv(MAX_RECEIVED)
        except OSError:
            received = b""
        if not received:
            self._is_gone(connection)
        elif status := connection.status(received):
            self.statuses[status] += 1
            self.latencies_ms.append((time.perf_counter() - connection.due) * 1000)
            connection.due = 0
            self._free.append(connection)

    def _is_gone(self, connection: "_Connection") -> None:
        self.lost += connection.due > 0
        if connection in self._free:
            self._free.remove(connection)
        del self._connections[connection.socket.fileno()]
        connection.socket.close()
        self._connect()


class _Connection:
    """One request at a time; `due` is when its request was, 0 while it has none."""

    def __init__(self, connected: socket.socket) -> None:
        connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket = connected
        self.due = 0.0
        self._received = b""

    def status(self, received: bytes) -> int | None:
        """Of the answer, once all of it is here."""
        self._received += received
        end = self._received.find(HEAD_END)
        if end < 0 or len(self._received) < end + len(HEAD_END) + _length(self._received[:end]):
            return None
        status = int(self._received[9:12])
        self._received = b""
        return status


def _request(host: str, path: str) -> bytes:
    return f"GET {path} HTTP/1.1\r\nHost: {host}\r\nAccept: application/json\r\n\r\n".encode()


def _length(head: bytes) -> int:
    at = head.lower().find(LENGTH)
    assert at >= 0, f"an answer without a length: {head!r}"
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
    return Gun(url, pages(url)).fire(rate, seconds)


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
