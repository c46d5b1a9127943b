"""The engine in a process of its own: `python -m swapstats.adapters.embedded.clickhouse --path DIRECTORY`.

It prints `dsn=clickhouse://host:port` when it is ready and ends on SIGTERM, on Ctrl-C, or when its parent is gone.
"""

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Self

from swapstats.adapters.embedded.ending import Ending
from swapstats.adapters.system.child_process import ChildProcess
from swapstats.adapters.system.child_server import ChildServer

READY = "dsn="
START_SECONDS = 120
PROJECT = Path(__file__).resolve().parents[4]
REMEDY = "install requirements-embedded.txt (a download of about 180 MB), or name a server in stores.clickhouse.dsn"


class ClickHouseServer(ChildServer):
    """Starts and stops that process over one data directory. `config` is a file in the shape of ClickHouse's
    config.xml."""

    stop_seconds = 60

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

    def dsn(self, database: str = "swaps") -> str:
        """Without compression, which costs more than loopback does."""
        return f"clickhouse://127.0.0.1:{self.port}/{database}?compression=0"

    def start(self) -> Self:
        command = server_command(self.directory, self.port, self._config)
        process = self._process = ChildProcess("clickhouse", command, cwd=PROJECT, on_line=self._on_line)
        process.wait_until(lambda: any(map(_is_ready, process.last_lines)), START_SECONDS, "become ready")
        self.port = int(next(filter(_is_ready, process.last_lines)).rpartition(":")[2])
        return self


def server_command(directory: Path, port: int = 0, config: Path | None = None) -> list[str]:
    command = [sys.executable, "-m", "swapstats.adapters.embedded.clickhouse", f"--path={directory}", f"--port={port}"]
    return [*command, f"--config={config}"] if config else command


def _is_ready(line: str) -> bool:
    return line.startswith(READY)


def main(arguments: Sequence[str] | None = None) -> None:
    options = _parse(arguments)
    ending = Ending()
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
        sys.stdout.write(f"{READY}clickhouse://127.0.0.1:{server.port}\n")
        sys.stdout.flush()
        ending.wait()


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="clickhouse", description=__doc__)
    parser.add_argument("--path", type=Path, required=True, help="the directory of the data; created if need be")
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one")
    parser.add_argument("--config", type=Path, help="an XML file in the shape of ClickHouse's config.xml")
    return parser.parse_args(arguments)
