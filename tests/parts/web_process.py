"""`manage.py serve` in a process of its own, on loopback."""

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Self

PROJECT = Path(__file__).resolve().parents[2]
START_SECONDS = 60


class WebProcess:
    """Started with a store and a layer of its own; can be stopped, killed and started again on the same port."""

    def __init__(self, directory: Path, store_url: str, layer_url: str, **settings: str) -> None:
        self.port = _free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.socket_url = f"ws://127.0.0.1:{self.port}/ws"
        self._log = directory / "web.log"
        self.environment = {
            **os.environ,
            "DJANGO_SETTINGS_MODULE": "settings.dev",
            "SWAPSTATS_STORES__REDIS__URL": store_url,
            "SWAPSTATS_PUBSUB__CHANNEL_LAYER__URL": layer_url,
            "SWAPSTATS_API__HTTP__ADDR": f"127.0.0.1:{self.port}",
            "SWAPSTATS_EMBEDDED__DATA_DIR": str(directory),
            "SWAPSTATS_SECURITY__JWT__ENABLED": "false",
            **settings,
        }
        self.process: subprocess.Popen[bytes] | None = None

    def manage(self, *words: str, **environment: str) -> None:
        """Another command of `manage.py`, with the same settings."""
        self.printed(*words, **environment)

    def printed(self, *words: str, **environment: str) -> str:
        """What such a command prints."""
        command = [sys.executable, "manage.py", *words]
        done = subprocess.run(
            command, cwd=PROJECT, env=self.environment | environment, check=True, capture_output=True, text=True
        )
        return done.stdout.strip()

    def start(self) -> None:
        with self._log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "manage.py", "serve"],
                cwd=PROJECT,
                env=self.environment,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        deadline = time.monotonic() + START_SECONDS
        while not self._answers():
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"manage.py serve does not answer:\n{self._log.read_text()[-2000:]}")
            time.sleep(0.05)

    def stop(self, number: int = signal.SIGTERM) -> int:
        """Its exit code."""
        if self.process is None:
            return 0
        self.process.send_signal(number)
        code = self.process.wait(30)
        self.process = None
        return code

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _answers(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.url}/healthz", timeout=1):  # noqa: S310 - our own, on loopback
                return True
        except (urllib.error.URLError, OSError):
            return False


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
