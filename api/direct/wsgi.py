"""The hot path in front of a WSGI application (PEP 3333)."""

from collections.abc import Callable, Iterable
from typing import Any

from api.direct.desk import UNLEARNED, Desk

Environ = dict[str, Any]
StartResponse = Callable[..., Any]
Application = Callable[[Environ, StartResponse], Iterable[bytes]]


class DirectWsgi:
    def __init__(self, application: Application) -> None:
        self._application = application
        self._desk = Desk()

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        reply = self._desk.reply(environ)
        if reply is None:
            return self._application(environ, self._attentive(environ, start_response))
        start_response(reply.status, reply.headers)
        return [reply.body]

    def _attentive(self, environ: Environ, start_response: StartResponse) -> StartResponse:
        if UNLEARNED not in environ:
            return start_response

        def start(status: str, headers: list[tuple[str, str]], *more: Any) -> Any:
            self._desk.learn(environ, int(status[:3]), headers)
            return start_response(status, headers, *more)

        return start
