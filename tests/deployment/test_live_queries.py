"""The real Prometheus, scraping a running system: what each panel asks for has an answer, and no alert is raised."""

import json
import os
import random
import shutil
import socket
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
from websockets.sync.client import connect

from settings.config.values import PROJECT_DIR
from swapstats.adapters.system.child_process import ChildProcess
from swapstats.adapters.system.listener import free_port
from swapstats.metrics.boards import BOARDS
from tests.parts.clickhouse import need_engine
from tests.parts.missing import skip_or_fail

SCRAPE = "2s"
UNTIL_READY_S, UNTIL_DATA_S = 150.0, 120.0

QUERIES = [
    (f"{board.uid}: {panel.title}", query.expr) for board in BOARDS for panel in board.panels for query in panel.queries
]


def until(check: Callable[[], bool], seconds: float, what: str) -> None:
    deadline = time.monotonic() + seconds
    while not check():
        assert time.monotonic() < deadline, what
        time.sleep(0.5)


class Monitored:
    """A system of `manage.py up`, and a Prometheus that looks at it."""

    running: ChildProcess

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.web, self.worker, self.own = free_port(), _first_of_two_free(), free_port()
        self.archive = self.worker + 1

    def system(self) -> ChildProcess:
        environment = {
            "PATH": os.environ["PATH"],
            "SWAPSTATS_EMBEDDED__DATA_DIR": str(self.directory / "data"),
            "SWAPSTATS_METRICS__PROMETHEUS": f"127.0.0.1:{self.worker}",
        }
        command = [sys.executable, "manage.py", "up", "--port", str(self.web), "--rate", "50", "--tokens", "20"]
        return ChildProcess("up", command, env=environment, cwd=PROJECT_DIR)

    def prometheus(self) -> ChildProcess:
        config = yaml.safe_load((PROJECT_DIR / "docker/prometheus/prometheus.yml").read_text())
        config["global"] = {"scrape_interval": SCRAPE, "evaluation_interval": SCRAPE}
        config["rule_files"] = [str(PROJECT_DIR / "docker/prometheus/rules/*.yml")]
        del config["alerting"]
        ports = {"consume": self.worker, "archive": self.archive, "web": self.web}
        for job in config["scrape_configs"]:
            job["static_configs"] = [{"targets": [f"127.0.0.1:{ports[job['job_name']]}"]}]
            del job["dns_sd_configs"]
        (self.directory / "prometheus.yml").write_text(yaml.safe_dump(config))
        words = ["--config.file", self.directory / "prometheus.yml", "--storage.tsdb.path", self.directory / "tsdb"]
        address = f"--web.listen-address=127.0.0.1:{self.own}"
        return ChildProcess("prometheus", ["prometheus", *words, address])

    def is_ready(self) -> bool:
        try:
            return httpx.get(f"http://127.0.0.1:{self.web}/readyz", timeout=5).status_code == 200
        except httpx.TransportError:
            return False

    def ask(self, path: str, **query: str) -> Any:
        answer = httpx.get(f"http://127.0.0.1:{self.own}/api/v1/{path}", params=query, timeout=10).json()
        assert answer["status"] == "success", answer
        return answer["data"]

    def has_data(self, expr: str) -> bool:
        """A number; NaN is what a quantile of nothing gives."""
        found = self.ask("query", query=expr)["result"]
        return any(series["value"][1] != "NaN" for series in found)


@pytest.fixture(scope="module")
def monitored(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Monitored]:
    if shutil.which("prometheus") is None:
        skip_or_fail("no Prometheus: apt-get install prometheus")
    need_engine()
    monitored = Monitored(tmp_path_factory.mktemp("monitored"))
    with monitored.system() as system:
        monitored.running = system
        system.wait_until(monitored.is_ready, UNTIL_READY_S, "become ready")
        with monitored.prometheus() as prometheus, connect(f"ws://127.0.0.1:{monitored.web}/ws") as client:
            client.send(json.dumps({"subscribe": "overview:5m"}))
            _follow_all_tokens(monitored, client)
            prometheus.wait_until(lambda: _answers(monitored), 60, "answer")
            yield monitored


def _first_of_two_free() -> int:
    """The archive's metrics are on the port after the worker's; both below those that the system gives to clients."""
    while True:
        port = random.randrange(20_000, 32_000)
        with suppress(OSError), socket.create_server(("127.0.0.1", port)):  # noqa: SIM117 - both at once
            with socket.create_server(("127.0.0.1", port + 1)):
                return port


def _follow_all_tokens(monitored: Monitored, client: Any) -> None:
    overview = httpx.get(f"http://127.0.0.1:{monitored.web}/api/overview?windows=5m&limit=20").json()
    client.send(json.dumps({"subscribe": [f"token:{row['token']['id']}" for row in overview["windows"]["5m"]]}))


def _answers(monitored: Monitored) -> bool:
    try:
        return bool(monitored.ask("targets"))
    except (httpx.TransportError, ValueError):
        return False


def _ask_the_site(monitored: Monitored) -> None:
    if not monitored.running.is_running:
        raise monitored.running.died()
    for path in ("/api/overview?windows=5m", "/healthz", "/api/tokens"):
        httpx.get(f"http://127.0.0.1:{monitored.web}{path}", timeout=10)


@pytest.mark.clickhouse
def test_each_panels_query_has_data(monitored):
    missing = {f"{title}: {expr}": expr for title, expr in QUERIES}

    def all_have_data() -> bool:
        _ask_the_site(monitored)
        for title, expr in list(missing.items()):
            if monitored.has_data(expr):
                del missing[title]
        return not missing

    try:
        until(all_have_data, UNTIL_DATA_S, "no data")
    except AssertionError:
        pytest.fail("no data for\n" + "\n".join(missing), pytrace=False)


@pytest.mark.clickhouse
def test_all_rules_are_loaded_and_none_fails(monitored):
    rules = [rule for group in monitored.ask("rules")["groups"] for rule in group["rules"]]
    until(lambda: all(rule["health"] != "unknown" for rule in _rules(monitored)), 30, "rules are not evaluated")
    assert {rule["name"]: rule["lastError"] for rule in _rules(monitored) if rule["health"] != "ok"} == {}
    assert len(rules) > 30


@pytest.mark.clickhouse
def test_a_system_that_runs_well_raises_no_alert(monitored):
    firing = [alert["labels"] for alert in monitored.ask("alerts")["alerts"] if alert["state"] == "firing"]
    assert firing == []


def _rules(monitored: Monitored) -> list[dict[str, Any]]:
    return [rule for group in monitored.ask("rules")["groups"] for rule in group["rules"]]
