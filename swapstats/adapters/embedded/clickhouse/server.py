"""Listens on loopback and gives every client a thread with a session of its own."""

import contextlib
import logging
import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Self

from swapstats.adapters.embedded.clickhouse.engine import Engine
from swapstats.adapters.embedded.clickhouse.session import Session
from swapstats.adapters.embedded.clickhouse.wire import Wire

HOST = "127.0.0.1"
MAX_CLIENTS = 64
TOO_MANY_SIMULTANEOUS_QUERIES = 202
CLOSE_SECONDS = 30

log = logging.getLogger(__name__)


class Server:
    """The engine over `path`, served on loopback until closed. `port` 0 takes a free one.

    Raises EngineError where another process owns the data, and OSError where the port is taken.
    """

    def __init__(self, path: Path, port: int = 0, config: Path | None = None) -> None:
        self._open_engine: Callable[[], Engine] = lambda: Engine(path, config)
        self._owner = self._open_engine()  # keeps the engine running while no client is there
        self._listener = socket.create_server((HOST, port))
        self.port = int(self._listener.getsockname()[1])
        self._sessions: dict[threading.Thread, Session] = {}
        self._lock = threading.Lock()
        self._acceptor = threading.Thread(target=self._accept, name="accept", daemon=True)
        self._acceptor.start()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return  # closed
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._welcome(connection)

    def _welcome(self, connection: socket.socket) -> None:
        session = Session(connection, self._open_engine)
        thread = threading.Thread(target=self._run, args=(session,), name="client", daemon=True)
        with self._lock:
            if len(self._sessions) >= MAX_CLIENTS:
                return self._refuse(connection)
            self._sessions[thread] = session
        thread.start()

    def _refuse(self, connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError):
            Wire(connection).send_exception(TOO_MANY_SIMULTANEOUS_QUERIES, "DB::Exception: too many clients")

    def _run(self, session: Session) -> None:
        try:
            session.run()
        except Exception:
            log.exception("a client's session failed")
        finally:
            with self._lock:
                del self._sessions[threading.current_thread()]

    def close(self) -> None:
        """Takes leave of every client, lets running queries end, and closes the engine.

        A query that does not end within 30 seconds is left alone: the process may then only be killed.
        """
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._acceptor.join()
        with self._lock:
            sessions = dict(self._sessions)
        for session in sessions.values():
            session.close()
        deadline = time.monotonic() + CLOSE_SECONDS
        for thread in sessions:
            thread.join(max(0, deadline - time.monotonic()))
        if not any(thread.is_alive() for thread in sessions):
            self._owner.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
