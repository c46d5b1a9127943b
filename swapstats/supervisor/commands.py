"""Parts that are commands of ours: `manage.py consume`, `serve`, `generate` …"""

import http.client
import sys
from collections.abc import Mapping

from settings.config.load import variable
from settings.config.values import PROJECT_DIR, Address
from swapstats.adapters.system.child_process import ChildProcess
from swapstats.adapters.system.listener import listen
from swapstats.supervisor.part import Environment, OnLine, Part

READY_SECONDS = 2


class Command(Part):
    """`manage.py` with these words; `settings` are for this process alone."""

    stop_seconds = 25  # a last snapshot, or a bye to every client

    def __init__(self, name: str, *words: str, settings: Mapping[str, str] | None = None) -> None:
        self.name = name
        self._words = words
        self._settings = dict(settings or {})

    def start(self, environment: Environment, on_line: OnLine) -> ChildProcess:
        command = [sys.executable, str(PROJECT_DIR / "manage.py"), *self._words]
        return ChildProcess(self.name, command, env=environment | self._settings, cwd=PROJECT_DIR, on_line=on_line)


class Web(Command):
    """`manage.py serve`: ready when it says so itself, which includes that it is fed with statistics."""

    def __init__(self, address: Address) -> None:
        super().__init__("web", "serve")
        self._address = address
        self._answer = "no answer"

    def check(self) -> None:
        listen(*self._address, key=f"--port, or api.http.addr ({variable('api.http.addr')})").close()

    def is_ready(self) -> bool:
        connection = http.client.HTTPConnection(*self._address, timeout=READY_SECONDS)
        try:
            connection.request("GET", "/readyz")
            response = connection.getresponse()
            self._answer = f"{response.status} {response.read(2_000).decode(errors='replace')}"
        except (OSError, http.client.HTTPException) as error:
            self._answer = str(error)
            return False
        finally:
            connection.close()
        return response.status == http.HTTPStatus.OK

    def missing(self) -> str:
        return f"/readyz said: {self._answer}"
