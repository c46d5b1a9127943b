"""A few connections that many threads share."""

import queue
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from swapstats.adapters.clickhouse.connection import Connection
from swapstats.domain.errors import ArchiveUnavailable


class Pool:
    """At most `size` connections, each lent to one thread at a time; who waits longer than `wait_s` for one gets
    ArchiveUnavailable."""

    def __init__(self, connect: Callable[[], Connection], size: int, wait_s: float) -> None:
        self._connect = connect
        self._wait_s = wait_s
        self._places = threading.BoundedSemaphore(size)
        self._idle: queue.LifoQueue[Connection] = queue.LifoQueue()

    @contextmanager
    def connection(self) -> Iterator[Connection]:
        if not self._places.acquire(timeout=self._wait_s):
            raise ArchiveUnavailable("every connection to the archive is busy")
        try:
            connection = self._take()
            try:
                yield connection
            finally:
                self._idle.put(connection)
        finally:
            self._places.release()

    def _take(self) -> Connection:
        try:
            return self._idle.get_nowait()
        except queue.Empty:
            return self._connect()

    def close(self) -> None:
        """Those in use are closed by nobody; call it when none is."""
        while not self._idle.empty():
            self._idle.get_nowait().close()
