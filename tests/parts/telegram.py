"""A server that speaks the Telegram Bot API's `sendMessage` on loopback, and answers as it is told to."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Thread
from typing import Any, NamedTuple

TOKEN = "12345678:AAbbCCddEEffGGhhIIjjKKllMMnnOOppQQr"
CHAT = "-1001234"


class Answer(NamedTuple):
    status: int
    body: dict[str, Any]


FLOOD = Answer(429, {"ok": False, "description": "Too Many Requests", "parameters": {"retry_after": 3}})
BROKEN = Answer(502, {})
NO_SUCH_CHAT = Answer(400, {"ok": False, "description": "Bad Request: chat not found"})


class BotApi:
    """`messages` are those it took. `answers` are given first, one each; `hold` keeps it from answering while clear."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.messages: list[dict[str, Any]] = []
        self.asked = 0
        self.answers: list[Answer] = []
        self.hold = Event()
        self.hold.set()

    def answer(self, path: str, message: dict[str, Any]) -> Answer:
        self.asked += 1
        self.hold.wait(30)
        if path != f"/bot{TOKEN}/sendMessage":
            return Answer(401, {"ok": False, "description": "Unauthorized"})
        if self.answers:
            return self.answers.pop(0)
        if message["chat_id"] != CHAT:
            return NO_SUCH_CHAT
        self.messages.append(message)
        return Answer(200, {"ok": True, "result": {"message_id": len(self.messages)}})

    @property
    def texts(self) -> list[str]:
        return [message["text"] for message in self.messages]


@contextmanager
def bot_api() -> Iterator[BotApi]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            message = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            status, body = api.answer(self.path, message)
            data = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        api = BotApi(f"http://127.0.0.1:{server.server_port}")
        Thread(target=server.serve_forever, daemon=True).start()
        yield api
        api.hold.set()
        server.shutdown()
