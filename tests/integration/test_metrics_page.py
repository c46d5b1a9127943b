"""`/metrics` of web processes, with several of them behind one address, as production runs them."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from subprocess import PIPE

import httpx
import pytest

from settings.config.values import PROJECT_DIR
from swapstats.adapters.system.child_process import ChildProcess
from swapstats.adapters.system.listener import free_port

WORKERS = 2
REQUESTS = 40


class Site:
    """Two WSGI workers on one address."""

    def __init__(self, url: str, server: ChildProcess) -> None:
        self.url = url
        self.server = server

    def get(self, path: str) -> httpx.Response:
        """Each on a connection of its own, so that any worker may take it."""
        return httpx.get(f"{self.url}{path}", timeout=10)

    def value(self, name: str) -> float:
        """The sum of a metric's series, as Prometheus would be told now."""
        lines = re.findall(rf"^{name}(?:{{.*}})? (\S+)$", self.get("/metrics").text, re.MULTILINE)
        return sum(map(float, lines))

    def workers(self) -> list[int]:
        """The processes that answer requests, which are the server's children."""
        children = Path(f"/proc/{self.server.pid}/task/{self.server.pid}/children").read_text().split()
        programs = {int(pid): Path(f"/proc/{pid}/cmdline").read_text() for pid in children}
        return [pid for pid, program in programs.items() if "resource_tracker" not in program]


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    port = free_port()
    command = [sys.executable, "-m", "granian", "--interface", "wsgi", "--port", str(port), "--workers", str(WORKERS)]
    environment = {
        "PATH": os.environ["PATH"],
        "DJANGO_SETTINGS_MODULE": "settings.dev",
        "PROMETHEUS_MULTIPROC_DIR": str(tmp_path / "metrics"),
        "SWAPSTATS_EMBEDDED__DATA_DIR": str(tmp_path),
        "SWAPSTATS_STORES__REDIS__URL": f"redis://127.0.0.1:{free_port()}/0",
        "SWAPSTATS_METRICS__PPROF": "null",
    }
    command += ["--respawn-failed-workers", "swapstats.wsgi:application"]
    with ChildProcess("granian", command, env=environment, cwd=PROJECT_DIR) as server:
        site = Site(f"http://127.0.0.1:{port}", server)
        server.wait_until(lambda: _answers(site), 60, "answer")
        yield site


def _answers(site: Site) -> bool:
    try:
        return site.get("/metrics").status_code == 200
    except httpx.TransportError:
        return False


def _until(check: Callable[[], bool], seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not check():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.05)


def _requests(site: Site) -> float:
    return site.value("django_http_requests_total_by_method_total")


def test_any_process_answers_for_all_of_them(site):
    for _ in range(REQUESTS):
        assert site.get("/nowhere").status_code == 404
    assert {_requests(site) for _ in range(10)} == {REQUESTS}, "looking at the metrics is not counted"


def test_counters_go_on_and_gauges_are_forgotten_when_a_process_dies(site, tmp_path):
    for _ in range(REQUESTS):
        site.get("/nowhere")
    files = {path.name for path in (tmp_path / "metrics").glob("counter_*.db")}
    for victim in site.workers():
        os.kill(victim, signal.SIGKILL)
    _until(lambda: _answers(site))
    site.get("/nowhere")
    assert _requests(site) == REQUESTS + 1
    assert {path.name for path in (tmp_path / "metrics").glob("counter_*.db")} == files, "successors take their places"


def test_what_a_dead_process_said_of_itself_is_not_shown(site, tmp_path):
    program = (
        "from swapstats.metrics.processes import share_metrics; share_metrics();"
        "from realtime.metrics import CLIENTS; CLIENTS.set(7); input()"
    )
    environment = {"PATH": os.environ["PATH"], "PROMETHEUS_MULTIPROC_DIR": str(tmp_path / "metrics")}
    with subprocess.Popen([sys.executable, "-c", program], env=environment, cwd=PROJECT_DIR, stdin=PIPE) as another:
        _until(lambda: site.value("ws_clients_gauge") == 7)
        another.kill()
    assert site.value("ws_clients_gauge") == 0


def test_metrics_are_told_to_whoever_asks_by_address(site):
    answer = httpx.get(f"{site.url}/metrics", headers={"Host": "10.1.2.3:8080"})
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/plain")
