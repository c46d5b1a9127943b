"""A WebSocket client as a user writes one: it follows tokens, keeps what it was told, and reconnects to another server
when its own is gone. It trusts nothing: every patch must continue what it holds."""

import json
import threading
import time
from contextlib import suppress
from datetime import datetime
from typing import Any, Self

from websockets.exceptions import WebSocketException
from websockets.sync.client import ClientConnection, connect

Json = dict[str, Any]

RECEIVE_SECONDS = 1.0
RECONNECT_SECONDS = 0.2


class Client:
    """`broken` lists what should never happen, `told` what each topic holds now."""

    def __init__(self, ports: list[int], token_ids: list[str]) -> None:
        self.told: dict[str, Json] = {}
        self.broken: list[str] = []
        self.connections = 0
        self.frames = 0
        self._ports = ports
        self._topics = [f"token:{token_id}" for token_id in token_ids]
        self._last: dict[str, tuple[str, int]] = {}
        self._by_seq: dict[tuple[str, str, int], Json] = {}
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="client", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        self._thread.join(10)

    @property
    def is_told_all(self) -> bool:
        return len(self.told) == len(self._topics)

    def _run(self) -> None:
        turn = 0
        while not self._stopping.is_set():
            port = self._ports[turn % len(self._ports)]
            with suppress(OSError, WebSocketException), connect(f"ws://127.0.0.1:{port}/ws", open_timeout=2) as socket:
                self.connections += 1
                self._follow(socket)
            turn += 1
            time.sleep(RECONNECT_SECONDS)

    def _follow(self, socket: ClientConnection) -> None:
        self._last.clear()
        socket.send(json.dumps({"subscribe": self._topics}))
        while not self._stopping.is_set():
            try:
                text = socket.recv(RECEIVE_SECONDS)
            except TimeoutError:
                continue
            self.frames += 1
            self._hear(json.loads(text), socket)

    def _hear(self, message: Json, socket: ClientConnection) -> None:
        if message["type"] == "snapshot":
            self._take(message["topic"], message["epoch"], message["seq"], message["data"])
        elif message["type"] == "patches":
            for item in message["items"]:
                self._patch(item, socket)
        elif message["type"] == "error" and message["code"] == "not_ready":
            time.sleep(RECONNECT_SECONDS)
            socket.send(json.dumps({"subscribe": message["topic"]}))

    def _patch(self, item: Json, socket: ClientConnection) -> None:
        topic = item["topic"]
        if self._last.get(topic) != (item["epoch"], item["prev"]):
            self.broken.append(f"{topic}: {self._last.get(topic)} is not followed by {item['epoch']} {item['prev']}")
            socket.send(json.dumps({"subscribe": topic}))
            return
        self._take(topic, item["epoch"], item["seq"], merged(self.told[topic], item["data"]))

    def _take(self, topic: str, epoch: str, seq: int, data: Json) -> None:
        before = self.told.get(topic)
        if before and _time(data["as_of"]) < _time(before["as_of"]):
            self.broken.append(f"{topic}: told as of {before['as_of']}, then as of {data['as_of']}")
        sums = {
            name: {k: v for k, v in body.items() if k not in ("from", "to")} for name, body in data["windows"].items()
        }
        known = self._by_seq.setdefault((topic, epoch, seq), sums)
        if epoch and known != sums:
            self.broken.append(f"{topic}: epoch {epoch} seq {seq} holds {sums} and held {known}")
        self.told[topic], self._last[topic] = data, (epoch, seq)


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text)


def merged(target: Any, patch: Any) -> Any:
    """RFC 7386."""
    if not isinstance(patch, dict):
        return patch
    result = dict(target) if isinstance(target, dict) else {}
    for name, value in patch.items():
        if value is None:
            result.pop(name, None)
        else:
            result[name] = merged(result.get(name), value)
    return result
