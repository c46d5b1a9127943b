"""The engine in a process of its own: `python -m swapstats.adapters.embedded.clickhouse --path DIRECTORY`.

It prints `dsn=clickhouse://host:port` when it is ready and ends on SIGTERM, on Ctrl-C, or when its parent is gone.
"""

import argparse
import os
import signal
import sys
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Self

from swapstats.adapters.system.child_process import ChildProcess
from swapstats.domain.errors import PartError

READY = "dsn="
START_SECONDS = 120
STOP_SECONDS = 60
PARENT_CHECK_SECONDS = 0.5
PROJECT = Path(__file__).resolve().parents[4]
REMEDY = "install requirements-embedded.txt (a download of about 180 MB), or name a server in stores.clickhouse.dsn"


class ClickHouseServer:
    """Starts and stops that process over one data directory; it may be killed, and started again on its port and data.

    `config` is a file in the shape of ClickHouse's config.xml. `PartError` where it cannot start.
    """

    def __init__(
        self,
        directory: Path,
        *,
        port: int = 0,
        config: Path | None = None,
        on_line: Callable[[str], None] | None = None,
    ) -> None:
        self.directory = directory
        self.port = port
        self._config = config
        self._on_line = on_line
        self._process: ChildProcess | None = None

    @property
    def process(self) -> ChildProcess:
        if self._process is None:
            raise PartError("clickhouse has not been started")
        return self._process

    def dsn(self, database: str = "swaps") -> str:
        """Without compression, which costs more than loopback does."""
        return f"clickhouse://127.0.0.1:{self.port}/{database}?compression=0"

    def start(self) -> Self:
        command = server_command(self.directory, self.port, self._config)
        process = self._process = ChildProcess("clickhouse", command, cwd=PROJECT, on_line=self._on_line)
        process.wait_until(lambda: any(map(_is_ready, process.last_lines)), START_SECONDS, "become ready")
        self.port = int(next(filter(_is_ready, process.last_lines)).rpartition(":")[2])
        return self

    def stop(self) -> None:
        if self._process is not None:
            self._process.stop(STOP_SECONDS)

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


def server_command(directory: Path, port: int = 0, config: Path | None = None) -> list[str]:
    command = [sys.executable, "-m", "swapstats.adapters.embedded.clickhouse", f"--path={directory}", f"--port={port}"]
    return [*command, f"--config={config}"] if config else command


def _is_ready(line: str) -> bool:
    return line.startswith(READY)


def main(arguments: Sequence[str] | None = None) -> None:
    options = _parse(arguments)
    parent = os.getppid()
    os.environ["TZ"] = "UTC"  # before the engine reads it
    try:
        from swapstats.adapters.embedded.clickhouse.engine import EngineError
        from swapstats.adapters.embedded.clickhouse.server import Server
    except ImportError as error:
        sys.exit(f"no ClickHouse engine here ({error}): {REMEDY}")
    options.path.mkdir(parents=True, exist_ok=True)
    try:
        server = Server(options.path, options.port, options.config)
    except (EngineError, OSError) as error:
        sys.exit(f"clickhouse could not start: {error}")
    with server:
        _serve(server.port, parent)


def _serve(port: int, parent: int) -> None:
    ended = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ended.set())
    sys.stdout.write(f"{READY}clickhouse://127.0.0.1:{port}\n")
    sys.stdout.flush()
    while not ended.wait(PARENT_CHECK_SECONDS) and os.getppid() == parent:
        pass


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="clickhouse", description=__doc__)
    parser.add_argument("--path", type=Path, required=True, help="the directory of the data; created if need be")
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one")
    parser.add_argument("--config", type=Path, help="an XML file in the shape of ClickHouse's config.xml")
    return parser.parse_args(arguments)
