"""One script, called at a fraction of what it costs through redis-py's client: a request waits for it."""

import socket
import struct
from collections import deque
from contextlib import suppress
from hashlib import sha1
from typing import TYPE_CHECKING, Any

from hiredis import PushNotification, Reader, ReplyError, pack_command
from redis.exceptions import ConnectionError as ConnectionLost
from redis.exceptions import ResponseError
from redis.exceptions import TimeoutError as TookTooLong

if TYPE_CHECKING:
    from redis import Redis

Words = tuple[Any, ...]
"""A command's: str, bytes or int."""

MAX_RECEIVED = 4_096
"""Bytes taken from a socket at once; a reply of ours has about forty."""
_NOT_YET = object()


class QuickScript:
    """For any thread: as many connections as there are calls at once, made as `client` makes its own (TLS, password,
    sentinels). One that broke while it was idle is opened again, once."""

    def __init__(self, client: "Redis", script: str) -> None:
        self._pool = client.connection_pool
        self._script = script.encode()
        self._digest = sha1(self._script, usedforsecurity=False).hexdigest()
        self._idle: deque[_Line] = deque()

    def call(self, key: str, *words: float) -> Any:
        """The script's reply. Raises redis.exceptions.RedisError, OSError."""
        line = self._take()
        try:
            return self._call(line, (1, key, *map(_word, words)))
        finally:
            self._idle.append(line)

    def _call(self, line: "_Line", words: Words) -> Any:
        reply = line.ask("EVALSHA", self._digest, *words)
        if isinstance(reply, ReplyError) and str(reply).startswith("NOSCRIPT"):
            reply = line.ask("EVAL", self._script, *words)
        if isinstance(reply, ReplyError):
            raise ResponseError(str(reply))
        return reply

    def _take(self) -> "_Line":
        try:
            return self._idle.pop()
        except IndexError:
            return _Line(self._pool.make_connection())


class _Line:
    """A connection that redis-py opens, for one thread at a time. What redis-py does around each command is left out,
    and the kernel keeps the time of the socket, in one call where Python makes two."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection
        self._socket: Any = None

    def ask(self, *words: Any) -> Any:
        """The reply, be it a ReplyError."""
        command = pack_command(words)
        if self._socket is not None:
            with suppress(ConnectionLost):
                return self._exchange(command)
        self._open()
        return self._exchange(command)

    def _open(self) -> None:
        self._connection.connect()
        self._socket, self._replies = self._connection._sock, Reader(notEnoughData=_NOT_YET)
        if type(self._socket) is socket.socket and self._connection.socket_timeout:
            _leave_time_to_the_kernel(self._socket, self._connection.socket_timeout)

    def _exchange(self, command: bytes) -> Any:
        """Closes the connection where it fails: what comes later would be taken for the next command's reply."""
        try:
            self._socket.sendall(command)
            return self._reply()
        except BaseException as error:
            self._socket = None
            self._connection.disconnect()
            if isinstance(error, BlockingIOError | TimeoutError):
                raise TookTooLong("Redis does not answer") from error
            if isinstance(error, ConnectionError):
                raise ConnectionLost(str(error)) from error
            raise

    def _reply(self) -> Any:
        while (reply := self._replies.gets()) is _NOT_YET or isinstance(reply, PushNotification):
            if reply is _NOT_YET:
                self._replies.feed(self._receive())
        if isinstance(reply, ReplyError) and str(reply).startswith("READONLY"):
            raise ConnectionLost("no master any more")
        return reply

    def _receive(self) -> bytes:
        received: bytes = self._socket.recv(MAX_RECEIVED)
        if not received:
            raise ConnectionLost("closed by Redis")
        return received


def _leave_time_to_the_kernel(plain: socket.socket, seconds: float) -> None:
    """Python's own timeout waits in a call before each call; both give the interpreter away to other threads."""
    limit = struct.pack("@ll", int(seconds), int(seconds % 1 * 1_000_000))
    for direction in (socket.SO_RCVTIMEO, socket.SO_SNDTIMEO):
        plain.setsockopt(socket.SOL_SOCKET, direction, limit)
    plain.settimeout(None)


def _word(number: float) -> str | int:
    return number if isinstance(number, int) else repr(number)
