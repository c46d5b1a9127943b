"""An operator finds a partition in trouble and mends it, and lets a machine in and out, in a real browser, on a system
that runs.

With SWAPSTATS_SCREENSHOTS naming a directory, what is seen is kept there: `docs/images` was made so.
"""

import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import redis
from playwright.sync_api import Page, expect

from settings.config.values import PROJECT_DIR
from swapstats.adapters.embedded.kafka_broker import KafkaBroker
from swapstats.adapters.embedded.redis_server import RedisServer
from swapstats.adapters.system.child_process import ChildProcess
from tests.parts.web_process import WebProcess

pytestmark = [pytest.mark.browser, pytest.mark.redis]

MANAGE = [sys.executable, str(PROJECT_DIR / "manage.py")]
PASSWORD = "only-for-this-test"
FED = 2_000
PATIENCE_S = 60
HOUR_MS = 3_600_000


class Running:
    """A whole system, and who operates it."""

    def __init__(self, url: str, store: "redis.Redis") -> None:
        self.url = url
        self._store = store

    def forget_to_save(self, partition: int) -> None:
        """As if nobody had saved it for an hour."""
        [key] = [key for key in self._store.scan_iter(f"swapstats:snap:*:{partition}") if self._is_checkpoint(key)]
        self._store.hset(key, "saved_at_ms", int(time.time() * 1000) - HOUR_MS)

    def saved(self) -> int:
        """How many records the snapshots hold."""
        keys = filter(self._is_checkpoint, self._store.scan_iter("swapstats:snap:*"))
        return sum(int(self._store.hget(key, "next_offset") or 0) for key in keys)

    def _is_checkpoint(self, key: bytes) -> bool:
        return self._store.type(key) == b"hash" and bool(self._store.hexists(key, "epoch"))


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    directory = tmp_path_factory.mktemp("operators")
    with (
        RedisServer(directory / "redis") as server,
        KafkaBroker() as broker,
        redis.Redis.from_url(server.url(2)) as store,
    ):
        settings = {
            "SWAPSTATS_INGEST__START": "earliest",
            "SWAPSTATS_INGEST__BROKERS": f'["{broker.bootstrap}"]',
            "SWAPSTATS_METRICS__PPROF": "null",
            "SWAPSTATS_METRICS__PROMETHEUS": "null",
            "SWAPSTATS_SECURITY__JWT__ENABLED": "true",
            "DJANGO_SUPERUSER_PASSWORD": PASSWORD,
        }
        web = WebProcess(directory, server.url(2), server.url(3), **settings)
        environment = web.environment
        _manage(environment, "migrate", "--verbosity", "0")
        _manage(environment, "createsuperuser", "--noinput", "--username", "operator", "--email", "o@example.org")
        with web:
            running = Running(web.url, store)
            with ChildProcess("consume", [*MANAGE, "consume"], env=environment, cwd=PROJECT_DIR) as worker:
                _manage(environment, "generate", "--rate", "1000", "--duration", "3")
                worker.wait_until(lambda: running.saved() >= FED, 60, "save what it read")
                yield running


def _manage(environment: dict[str, str], *words: str) -> None:
    subprocess.run([*MANAGE, *words], env=environment, cwd=PROJECT_DIR, check=True, capture_output=True)


def kept(page: Page, name: str) -> None:
    if directory := os.environ.get("SWAPSTATS_SCREENSHOTS"):
        page.screenshot(path=Path(directory) / f"{name}.png")


def log_in(page: Page, address: str) -> None:
    page.goto(address)
    page.fill("#id_username", "operator")
    page.fill("#id_password", PASSWORD)
    page.click("#login-form input[type=submit]")


def test_a_stuck_partition_is_found_and_released(running: Running, page: Page) -> None:
    log_in(page, f"{running.url}/admin/api/partition/")
    running.forget_to_save(2)
    page.reload()
    row = page.locator("tbody tr", has=page.get_by_role("link", name="2", exact=True))
    expect(row).to_contain_text("Nobody saves it")
    kept(page, "admin-partitions")
    row.get_by_role("link").click()
    page.get_by_role("link", name="Recompute and compare").click()
    expect(page.get_by_text(re.compile(r"\d+ tokens compared"))).to_be_visible()
    page.get_by_role("link", name="Release").click()
    expect(page.get_by_text("Nothing is lost or counted twice")).to_be_visible()
    page.get_by_role("button", name="Yes, release it").click()
    expect(page.locator(".messagelist")).to_contain_text("Released: epoch")
    deadline = time.monotonic() + PATIENCE_S
    while "Well" not in row.inner_text():
        assert time.monotonic() < deadline, row.inner_text()
        page.reload()


def test_a_snapshot_is_taken_now(running: Running, page: Page) -> None:
    log_in(page, f"{running.url}/admin/api/partition/")
    page.locator("tbody tr").get_by_role("link", name="0", exact=True).click()
    page.get_by_role("link", name="Snapshot now").click()
    expect(page.get_by_text("whether anything")).to_be_visible()
    page.get_by_role("button", name="Yes, take it").click()
    expect(page.locator(".messagelist")).to_contain_text(re.compile(r"Snapshot taken: revision \d+ → \d+"))
    expect(page.get_by_text(re.compile(r"saved .* UTC, \d+ s ago"))).to_be_visible()
    kept(page, "admin-partition")


def ask(running: Running, page: Page, token: str, times: int = 1) -> set[int]:
    """The statuses that a machine with this token is answered with."""
    headers = {"Authorization": f"Bearer {token}"}
    return {page.request.get(f"{running.url}/api/overview", headers=headers).status for _ in range(times)}


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.2)


def make_client(running: Running, page: Page, **fields: str) -> str:
    """Its token."""
    page.goto(f"{running.url}/admin/api/apiclient/add/")
    for name, value in fields.items():
        page.fill(f"#id_{name}", value)
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.get_by_text("It is shown this once")).to_be_visible()
    return page.locator("#token").inner_text()


def test_a_machine_is_let_in_limited_and_shut_out(running: Running, page: Page) -> None:
    log_in(page, f"{running.url}/admin/api/apiclient/")
    make_client(running, page, subject="board-lobby", purpose="the board in the lobby")
    token = make_client(
        running, page, subject="desk-7", purpose="prices for the trading desk", refill_per_sec="5", burst="20"
    )
    page.get_by_role("link", name="I have copied it").click()
    expect(page.locator("#result_list")).to_contain_text("desk-7")
    until(lambda: ask(running, page, token, 40) == {200, 429})
    page.get_by_role("link", name="board-lobby").click()
    kept(page, "admin-client")
    page.get_by_role("link", name="Revoke").click()
    page.get_by_role("button", name="Yes, revoke it").click()
    expect(page.locator(".messagelist")).to_contain_text("Revoked board-lobby")
    kept(page, "admin-clients")
    page.get_by_role("link", name="desk-7").click()
    page.get_by_role("link", name="Revoke").click()
    page.get_by_role("button", name="Yes, revoke it").click()
    until(lambda: ask(running, page, token) == {401})

    def is_shown() -> bool:
        page.goto(f"{running.url}/admin/api/refusal/")
        text = page.locator("#content").inner_text()
        return all(told in text for told in ("sub:desk-7", "rate_limited", "ip:127.0.0.1", "bad_token"))

    until(is_shown)
    kept(page, "admin-refusals")
