"""`manage.py up`, as a stranger would run it, with everything real."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest
from websockets.sync.client import ClientConnection, connect

from swapstats.adapters.system.listener import free_port, listen

PROJECT = Path(__file__).resolve().parents[2]
START_SECONDS = 200
STOP_SECONDS = 60


class Up:
    """One run of it, on a free port, with its files in a directory of its own."""

    def __init__(self, directory: Path, *words: str, port: int | None = None) -> None:
        self.directory = directory
        self.port = port or free_port()
        self.screen = directory / "screen"
        command = [sys.executable, "manage.py", "up", "--port", str(self.port), "--tokens", "5", "--no-archive", *words]
        with self.screen.open("w") as screen:
            self.process = subprocess.Popen(
                command, cwd=PROJECT, env=self._environment(), stdout=screen, stderr=screen, process_group=0
            )

    def _environment(self) -> dict[str, str]:
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("SWAPSTATS_")}
        return inherited | {
            "DJANGO_SETTINGS_MODULE": "settings.dev",
            "SWAPSTATS_EMBEDDED__DATA_DIR": str(self.directory),
        }

    @property
    def text(self) -> str:
        return self.screen.read_text()

    def wait_until_up(self) -> None:
        self.wait_for(lambda: "swapstats is up" in self.text or self.process.poll() is not None, START_SECONDS)
        assert self.process.poll() is None, self.text

    def wait_for(self, check: Callable[[], bool], seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while not check():
            assert time.monotonic() < deadline, self.text
            time.sleep(0.1)

    def ends(self) -> int:
        try:
            return self.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            pytest.fail(f"it did not end:\n{self.text}")

    def processes(self) -> dict[int, str]:
        """Those that work in its directory, or carry it in environment or command: pid to command line."""
        found = {}
        for entry in Path("/proc").glob("[0-9]*"):
            try:
                command, variables = (entry / "cmdline").read_text(), (entry / "environ").read_text()
                traces = command + variables + str((entry / "cwd").readlink())
            except OSError:
                continue
            if str(self.directory) in traces:
                found[int(entry.name)] = command.replace("\0", " ")
        return found

    def get(self, path: str) -> dict:
        return httpx.get(f"http://127.0.0.1:{self.port}{path}").json()


@pytest.fixture
def up(tmp_path: Path) -> Iterator[Callable[..., Up]]:
    runs: list[Up] = []

    def start(*words: str, port: int | None = None) -> Up:
        runs.append(Up(tmp_path, *words, port=port))
        return runs[-1]

    yield start
    for run in runs:
        run.process.kill()
        run.process.wait()


def test_shows_moving_numbers_and_ends_on_ctrl_c(up):
    run = up("--rate", "50", "--archive")
    run.wait_until_up()
    with connect(f"ws://127.0.0.1:{run.port}/ws") as client:
        client.send(json.dumps({"subscribe": "overview:5m"}))
        _wait_for_message(client, "patches")
        assert "partition   0" in _other_command(run, "snapshots")
        run.process.send_signal(signal.SIGINT)
        assert _wait_for_message(client, "bye")["reason"] == "server_shutdown"
    assert run.ends() == 0, run.text
    assert not run.processes()
    assert not (run.directory / "up.env").exists()
    stopped = re.findall(r"stopping (\w+)", run.text)
    assert stopped == ["feed", "web", "archive", "consume", "clickhouse", "redis", "broker"]


def _other_command(run: Up, *words: str) -> str:
    """What it says, with the environment that `up` wrote down for it."""
    variables = dict(line.split("=", 1) for line in (run.directory / "up.env").read_text().splitlines())
    environment = {"PATH": os.environ["PATH"], "SWAPSTATS_EMBEDDED__DATA_DIR": str(run.directory), **variables}
    command = [sys.executable, "manage.py", *words]
    return subprocess.run(command, cwd=PROJECT, env=environment, capture_output=True, text=True, check=True).stdout


def _wait_for_message(client: ClientConnection, kind: str) -> dict:
    deadline = time.monotonic() + 60
    while (message := json.loads(client.recv(timeout=60)))["type"] != kind:
        assert time.monotonic() < deadline, f"no {kind}"
    return message


def test_counts_only_the_log_that_is_there_after_a_restart(up):
    """The embedded log ends with its broker; Redis still holds what became of the former one."""
    first = up("--rate", "200")
    first.wait_until_up()
    first.wait_for(lambda: _trades(first) > 300, 60)
    first.process.send_signal(signal.SIGTERM)
    assert first.ends() == 0
    again = up("--rate", "5")
    again.wait_until_up()
    again.wait_for(lambda: _trades(again) > 0, 60)
    assert _trades(again) < 300


def _trades(run: Up) -> int:
    tokens = run.get("/api/overview?windows=5m&limit=100")["windows"]["5m"]
    return sum(token["trades"] for token in tokens)


@pytest.mark.parametrize("words", ["manage.py consume", "(valkey|redis)-server"])
def test_ends_with_the_reason_when_a_part_dies(up, words):
    run = up()
    run.wait_until_up()
    victim = next(pid for pid, command in run.processes().items() if re.search(words, command))
    os.kill(victim, signal.SIGKILL)
    assert run.ends() == 1
    assert re.search(r"CommandError: (consume|redis) ended with signal SIGKILL", run.text), run.text
    assert not run.processes()


def test_leaves_nothing_behind_when_it_is_killed_itself(up):
    run = up()
    run.wait_until_up()
    run.process.kill()
    run.wait_for(lambda: not run.processes(), 20)


def test_names_the_port_that_is_taken_and_what_to_change(up):
    with listen("127.0.0.1", 0, key="a free port") as taken:
        run = up(port=taken.getsockname()[1])
        assert run.ends() == 1
    assert f"cannot listen on 127.0.0.1:{run.port}: another program is listening there" in run.text
    assert "--port" in run.text
    assert not run.processes()
