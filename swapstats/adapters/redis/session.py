"""A Redis connection that breaks loudly.

Redis acknowledges before a write is safe on a replica or on disk, so a new connection may lead to a server that has
forgotten our last writes. A worker's state in RAM, its ledger and its snapshots agree only along one unbroken
connection. redis-py's client would reconnect silently; a session never does: its owner restores and opens another.
"""

from collections.abc import Callable, Sequence
from typing import Any

from redis import ConnectionPool
from redis.backoff import NoBackoff
from redis.connection import ConnectionInterface
from redis.exceptions import NoScriptError, RedisError, ResponseError
from redis.retry import Retry

from swapstats.domain.errors import StoreError, StoreUnavailable

Argument = bytes | str | int
Script = Callable[[Sequence[bytes | str], Sequence[Argument]], Any]
"""Called with keys and arguments; gives the script's reply, strings as bytes."""


class RedisSession:
    """One connection to the Redis that holds the state, from its opening to its first failure; not thread-safe.

    Every method raises StoreUnavailable once the connection has failed, and from then on always; StoreError where
    Redis refuses a command as such, which is a defect or a wrong set-up and leaves the connection as it is.
    """

    def __init__(self, connection: ConnectionInterface) -> None:
        self._connection = connection
        self._ended: str | None = None
        self._attempt(connection.connect)

    @classmethod
    def open(cls, url: str, timeout_s: float, client_name: str = "swapstats") -> "RedisSession":
        """Connect to `url` (redis://, rediss:// or unix://)."""
        pool = ConnectionPool.from_url(
            url,
            socket_timeout=timeout_s,
            socket_connect_timeout=timeout_s,
            retry=Retry(NoBackoff(), 0),
            client_name=client_name,
            protocol=2,
        )
        return cls(pool.make_connection())

    def command(self, *args: Argument) -> Any:
        """One command, as redis-cli would take it, and its raw reply."""
        return self._attempt(lambda: self._exchange(args))

    def script(self, lua: str) -> Script:
        """A script that the server runs as one atomic step."""
        digest = self.command("SCRIPT", "LOAD", lua)

        def run(keys: Sequence[bytes | str], args: Sequence[Argument]) -> Any:
            tail = (len(keys), *keys, *args)
            try:
                return self._attempt(lambda: self._exchange(("EVALSHA", digest, *tail)))
            except _ScriptForgotten:  # SCRIPT FLUSH by an operator; the server and its data are the same
                return self.command("EVAL", lua, *tail)

        return run

    def close(self) -> None:
        """Let go of the connection; harmless when it is gone already."""
        self._end("the session was closed")

    def _exchange(self, args: Sequence[Argument]) -> Any:
        self._connection.send_command(*args)  # type: ignore[no-untyped-call]
        return self._connection.read_response()

    def _attempt(self, call: Callable[[], Any]) -> Any:
        if self._ended:
            raise StoreUnavailable(f"Redis: {self._ended}")
        try:
            return call()
        except NoScriptError as error:
            raise _ScriptForgotten(str(error)) from error
        except ResponseError as error:
            if str(error).startswith(_LOST_WRITES):
                raise self._failed(error) from error
            raise StoreError(f"Redis refused a command: {error}") from error
        except (RedisError, OSError) as error:
            raise self._failed(error) from error

    def _failed(self, error: Exception) -> StoreUnavailable:
        self._end(f"the connection was lost: {error or type(error).__name__}")
        return StoreUnavailable(f"Redis: {self._ended}")

    def _end(self, why: str) -> None:
        self._ended = self._ended or why
        self._connection.disconnect()  # type: ignore[no-untyped-call]


_LOST_WRITES = ("READONLY", "MASTERDOWN", "LOADING", "OOM", "MISCONF", "NOREPLICAS", "UNKILLABLE", "CLUSTERDOWN")
"""Replies that say this server cannot take our writes now; what it took before may be gone when it can again."""


class _ScriptForgotten(StoreError):  # noqa: N818
    """The server has no script of that digest."""
