"""One script, called at a third of what it costs through redis-py's client: a request waits for it."""

from collections import deque
from hashlib import sha1
from typing import TYPE_CHECKING, Any

from hiredis import pack_command
from redis.exceptions import ConnectionError as ConnectionLost
from redis.exceptions import NoScriptError

if TYPE_CHECKING:
    from redis import Redis
    from redis.connection import ConnectionInterface as Connection

Words = tuple[Any, ...]
"""A command's: str, bytes or int."""


class QuickScript:
    """For any thread: as many connections as there are calls at once, made as `client` makes its own (TLS, password,
    sentinels). One that broke while it was idle is opened again, once."""

    def __init__(self, client: "Redis", script: str) -> None:
        self._pool = client.connection_pool
        self._script = script.encode()
        self._digest = sha1(self._script, usedforsecurity=False).hexdigest()
        self._idle: deque[Connection] = deque()

    def call(self, key: str, *words: float) -> Any:
        """The script's reply. Raises redis.exceptions.RedisError, OSError."""
        connection = self._take()
        try:
            return self._call(connection, (1, key, *map(_word, words)))
        finally:
            self._idle.append(connection)

    def _call(self, connection: "Connection", words: Words) -> Any:
        try:
            return _ask(connection, ("EVALSHA", self._digest, *words))
        except (ConnectionLost, NoScriptError):
            return _ask(connection, ("EVAL", self._script, *words))

    def _take(self) -> "Connection":
        try:
            return self._idle.pop()
        except IndexError:
            return self._pool.make_connection()


def _ask(connection: "Connection", command: Words) -> Any:
    connection.send_packed_command([pack_command(command)], check_health=False)  # type: ignore[no-untyped-call]
    return connection.read_response()


def _word(number: float) -> str | int:
    return number if isinstance(number, int) else repr(number)
