"""A Redis connection that breaks loudly.

Redis acknowledges before a write is safe on a replica or on disk, so a new connection may lead to a server that has
forgotten our last writes. A worker's state in RAM, its ledger and its snapshots agree only along one unbroken
connection. redis-py's client would reconnect silently; a session never does: its owner restores and opens another.
"""

import time
from collections.abc import Callable, Sequence
from typing import Any

from pydantic import SecretStr
from redis import ConnectionPool
from redis.backoff import NoBackoff
from redis.connection import ConnectionInterface
from redis.exceptions import (
    ClusterDownError,
    NoScriptError,
    OutOfMemoryError,
    ReadOnlyError,
    RedisError,
    ResponseError,
)
from redis.retry import Retry
from redis.sentinel import Sentinel

from settings.config import RedisServer
from settings.config import Sentinel as SentinelConfig
from settings.config.values import parse_address
from swapstats.domain.errors import StoreError, StoreUnavailable
from swapstats.metrics import stores as metrics

Argument = bytes | str | int


class RedisSession:
    """One connection to the Redis that holds the state, from its opening to its first failure; not thread-safe.

    Every method raises StoreUnavailable once the connection has failed, and from then on always; StoreError where
    Redis refuses a command as such, which is a defect or a wrong set-up and leaves the connection as it is.
    """

    def __init__(self, connection: ConnectionInterface) -> None:
        self._connection = connection
        self._ended: str | None = None
        self._awaited = False
        self._attempt(connection.connect)

    @classmethod
    def open(cls, server: RedisServer, client_name: str = "swapstats") -> "RedisSession":
        """Connect to the master that `server` names. Raises StoreUnavailable, also where that is no master now."""
        where = {} if server.sentinel is None else _ask_sentinels(server.sentinel, server.timeout_ms / 1000)
        pool = ConnectionPool.from_url(server.url, retry=Retry(NoBackoff(), 0), client_name=client_name, protocol=2)
        pool.connection_kwargs |= {**_limits(server.timeout_ms / 1000), **_password(server.password), **where}
        session = cls(pool.make_connection())
        if session.command("ROLE")[0] != b"master":
            session.close()
            raise StoreUnavailable("Redis: this server is a replica now")
        return session

    def command(self, *args: Argument) -> Any:
        """One command, as redis-cli would take it, and its raw reply."""
        return self._attempt(lambda: self._exchange(args))

    def script(self, lua: str, name: str) -> "Script":
        """A script that the server runs as one atomic step; `name` is what its round trips are shown under."""
        return Script(self, lua, name)

    def begin(self, *args: Argument) -> Callable[[], Any]:
        """Send a command and go on while the server works; what is returned waits for the reply. Until that was
        called, nothing else may be asked of this session."""
        self._attempt(lambda: self._send(args))
        return lambda: self._attempt(self._receive)

    def close(self) -> None:
        """Let go of the connection; harmless when it is gone already."""
        self._end("the session was closed")

    def _exchange(self, args: Sequence[Argument]) -> Any:
        self._send(args)
        return self._receive()

    def _send(self, args: Sequence[Argument]) -> None:
        if self._awaited:
            raise StoreError("a command was sent to Redis before the last reply was read")
        self._connection.send_command(*args)  # type: ignore[no-untyped-call]
        self._awaited = True

    def _receive(self) -> Any:
        self._awaited = False
        return self._connection.read_response()

    def _attempt(self, call: Callable[[], Any]) -> Any:
        if self._ended:
            raise StoreUnavailable(f"Redis: {self._ended}")
        try:
            return call()
        except NoScriptError as error:
            raise ScriptForgotten(str(error)) from error
        except ResponseError as error:
            if isinstance(error, _LOST_WRITES) or str(error).startswith(_LOST_WRITES_SAID):
                raise self._failed(error) from error
            raise StoreError(f"Redis refused a command: {error}") from error
        except (RedisError, OSError) as error:
            raise self._failed(error) from error

    def _failed(self, error: Exception) -> StoreUnavailable:
        metrics.LOST_CONNECTIONS.inc()
        self._end(f"the connection was lost: {error or type(error).__name__}")
        return StoreUnavailable(f"Redis: {self._ended}")

    def _end(self, why: str) -> None:
        self._ended = self._ended or why
        self._connection.disconnect()  # type: ignore[no-untyped-call]


def _limits(timeout_s: float) -> dict[str, Any]:
    return {"socket_timeout": timeout_s, "socket_connect_timeout": timeout_s, "socket_keepalive": True}


def _password(password: SecretStr | None) -> dict[str, Any]:
    return {"password": password.get_secret_value()} if password else {}


def _ask_sentinels(sentinel: SentinelConfig, timeout_s: float) -> dict[str, Any]:
    """Host and port of the master, as the sentinels see it now."""
    hosts = [tuple(parse_address(host)) for host in sentinel.hosts]
    own = {**_limits(timeout_s), **_password(sentinel.password)}
    try:
        host, port = Sentinel(hosts, sentinel_kwargs=own).discover_master(sentinel.master)  # type: ignore[no-untyped-call]
    except (RedisError, OSError) as error:
        raise StoreUnavailable(f"Redis: the sentinels name no master {sentinel.master!r}: {error}") from error
    return {"host": host, "port": port}


_LOST_WRITES = (ClusterDownError, OutOfMemoryError, ReadOnlyError)
_LOST_WRITES_SAID = ("MISCONF", "NOREPLICAS", "UNKILLABLE")
"""Replies that say this server cannot take our writes now; what it took before may be gone when it can again. The first
are exceptions of redis-py, whose text lacks the word; MASTERDOWN is a ClusterDownError, LOADING a ConnectionError."""


class ScriptForgotten(StoreError):  # noqa: N818 - reads as the state it names
    """The server has no script of that digest: an operator's SCRIPT FLUSH; its data are the same."""


class Script:
    """A Lua script on the server. Called with its keys and arguments, it gives the reply, strings as bytes."""

    def __init__(self, session: RedisSession, lua: str, name: str) -> None:
        self._session = session
        self._lua = lua
        self._round_trip = metrics.ROUND_TRIP.labels(name)
        self._digest: bytes = session.command("SCRIPT", "LOAD", lua)

    def __call__(self, keys: Sequence[bytes | str], args: Sequence[Argument]) -> Any:
        return self.begin(keys, args)()

    def begin(self, keys: Sequence[bytes | str], args: Sequence[Argument]) -> Callable[[], Any]:
        """As `RedisSession.begin`."""
        tail = (len(keys), *keys, *args)
        started = time.perf_counter()
        reply = self._session.begin("EVALSHA", self._digest, *tail)

        def wait() -> Any:
            try:
                return reply()
            except ScriptForgotten:
                return self._session.command("EVAL", self._lua, *tail)
            finally:
                self._round_trip.observe((time.perf_counter() - started) * 1000)

        return wait
