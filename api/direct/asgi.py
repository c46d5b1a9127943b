"""The hot path in front of an ASGI application. Redis is waited for in a thread, so that the event loop goes on."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from api.direct.desk import UNLEARNED, Desk, Reply
from api.throttling import VERDICT

Scope = dict[str, Any]
Message = Mapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]


class DirectAsgi:
    """For scopes of the type `http`."""

    def __init__(self, application: Application) -> None:
        self._application = application
        self._desk = Desk()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["method"] != "GET" or not scope["path"].startswith("/api/"):
            await self._application(scope, receive, send)
            return
        environ = _environ(scope)
        reply = await asyncio.to_thread(self._desk.reply, environ)
        if reply is not None:
            await _send(reply, send)
            return
        if VERDICT in environ:
            scope[VERDICT] = environ[VERDICT]
        await self._application(scope, receive, self._attentive(environ, send))

    def _attentive(self, environ: dict[str, Any], send: Send) -> Send:
        if UNLEARNED not in environ:
            return send

        async def hear(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in message["headers"]]
                self._desk.learn(environ, message["status"], headers)
            await send(message)

        return hear


def _environ(scope: Scope) -> dict[str, Any]:
    """As much of a WSGI environment as matters to `Desk`; headers that come twice are joined as Django joins them."""
    environ = {
        "REQUEST_METHOD": scope["method"],
        "SCRIPT_NAME": scope.get("root_path", ""),
        "PATH_INFO": scope["path"],
        "QUERY_STRING": scope["query_string"].decode("latin-1"),
        "REMOTE_ADDR": (scope.get("client") or ("",))[0],
        "wsgi.url_scheme": scope.get("scheme", "http"),
    }
    for name, value in scope["headers"]:
        key = "HTTP_" + name.decode("latin-1").upper().replace("-", "_")
        key = "CONTENT_LENGTH" if key == "HTTP_CONTENT_LENGTH" else key
        text = value.decode("latin-1")
        environ[key] = f"{environ[key]},{text}" if key in environ else text
    return environ


async def _send(reply: Reply, send: Send) -> None:
    headers = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in reply.headers]
    await send({"type": "http.response.start", "status": int(reply.status[:3]), "headers": headers})
    await send({"type": "http.response.body", "body": reply.body})
