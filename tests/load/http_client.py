"""Asks over keep-alive connections at next to no cost, in a process of its own: `python -m tests.load.http_client`.

Reads a plan (JSON) from standard input: `port`, `connections`, `seconds`, `rate` (requests a second; 0: each connection
asks again as soon as it is answered) and `requests`, whole ones as text. Prints how many answers each status had, how
long it took, and how long each answer took in milliseconds, from when its request was due.
"""

import json
import selectors
import socket
import sys
import time
from collections import Counter, deque
from itertools import cycle

MAX_ANSWER = 1 << 20


class Connection:
    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.due = 0.0
        self._received = b""

    def ask(self, request: bytes, due: float) -> None:
        self.due = due
        self.socket.sendall(request)

    def status(self) -> str | None:
        """Of the answer, once all of it is here."""
        self._received += self.socket.recv(MAX_ANSWER)
        head, found, body = self._received.partition(b"\r\n\r\n")
        if not found or len(body) < _length(head):
            if not self._received:
                raise ConnectionError("the server closed the connection")
            return None
        self._received = b""
        return head[9:12].decode()


def _length(head: bytes) -> int:
    return int(head.lower().partition(b"\r\ncontent-length:")[2].partition(b"\r\n")[0] or 0)


def ask(port: int, requests: list[bytes], connections: int, seconds: float, rate: float) -> dict[str, object]:
    statuses, times, following = Counter[str](), list[float](), cycle(requests)
    idle = deque(Connection(port) for _ in range(connections))
    selector = selectors.DefaultSelector()
    for connection in idle:
        selector.register(connection.socket, selectors.EVENT_READ, connection)
    began = due = time.perf_counter()
    while (now := time.perf_counter()) < began + seconds:
        while idle and (not rate or due <= now):
            idle.popleft().ask(next(following), due if rate else now)
            due += 1 / rate if rate else 0
        for key, _ in selector.select(max(0.0, due - time.perf_counter()) if idle else None):
            if status := key.data.status():
                times.append((time.perf_counter() - key.data.due) * 1000)
                statuses[status] += 1
                idle.append(key.data)
    return {"statuses": statuses, "seconds": time.perf_counter() - began, "times_ms": times}


if __name__ == "__main__":
    plan = json.load(sys.stdin)
    plan["requests"] = [request.encode() for request in plan["requests"]]
    json.dump(ask(**plan), sys.stdout)
