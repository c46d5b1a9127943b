"""A real site for the browser: Redis, `manage.py serve`, steps as a worker publishes them, and Chromium."""

import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Self

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from swapstats.adapters.embedded.redis_server import RedisServer
from tests.parts.market import Market
from tests.parts.publisher import Publisher
from tests.parts.web_process import WebProcess

PATIENCE_MS = 20_000
TOKENS = 60
TICK_S = 0.1
expect.set_options(timeout=PATIENCE_MS)


class Site:
    """What is served, and the hand that moves it: a step every tenth of a second, as a worker sends it, be it to say
    that nothing has changed."""

    def __init__(self, web: WebProcess, publisher: Publisher, tokens: int) -> None:
        self.web = web
        self.market = Market(tokens, publisher.now_ms())
        self._publisher = publisher
        self._lock = threading.Lock()
        self._moved_each_tick = 0
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run)

    @property
    def url(self) -> str:
        return self.web.url

    @property
    def leader(self) -> str:
        """A token that is always among the first."""
        return self.market.assets[0].token_id

    def tick(self, how_many: int) -> None:
        with self._lock:
            self._publisher.publish(self.market.move(self._publisher.now_ms(), how_many))

    def reorg(self) -> None:
        with self._lock:
            parts = self.market.reorg()
            self._publisher.publish(parts, reorged=list(parts))

    @contextmanager
    def moving(self, how_many: int = 10) -> Iterator[None]:
        """So many tokens move at each tick meanwhile."""
        self._moved_each_tick = how_many
        try:
            yield
        finally:
            self._moved_each_tick = 0

    def __enter__(self) -> Self:
        self._publisher.publish(self.market.all(), whole=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopped.set()
        self._thread.join()

    def _run(self) -> None:
        due = time.monotonic()
        while not self._stopped.is_set():
            self.tick(self._moved_each_tick)
            due = max(due + TICK_S, time.monotonic())
            self._stopped.wait(due - time.monotonic())


@contextmanager
def site_with(tokens: int, directory: Path, **settings: str) -> Iterator[Site]:
    with (
        RedisServer(directory / "redis") as redis,
        Publisher(redis.url(2), redis.url(3)) as publisher,
        WebProcess(directory, redis.url(2), redis.url(3), **settings) as web,
        Site(web, publisher, tokens) as site,
    ):
        yield site


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with site_with(TOKENS, tmp_path_factory.mktemp("site")) as site:
        yield site


@pytest.fixture(scope="module")  # Playwright keeps an event loop running, which no other test may find
def browser(chromium_path: str) -> Iterator[Browser]:
    sandbox = [] if os.getuid() else ["--no-sandbox"]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium_path, args=sandbox)
        yield browser
        browser.close()


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    context = browser.new_context(color_scheme="dark", viewport={"width": 1440, "height": 900})
    context.set_default_timeout(PATIENCE_MS)
    yield context
    context.close()


@pytest.fixture
def page(context: BrowserContext) -> Iterator[Page]:
    """Fails its test where the page has an error, breaks its own content policy or asks another site for anything."""
    page = context.new_page()
    complaints: list[str] = []
    page.on("pageerror", lambda error: complaints.append(f"{error}\n{error.stack}"))
    page.on(
        "console",
        lambda message: message.type == "error" and _is_ours(message.text) and complaints.append(message.text),
    )
    page.on(
        "request",
        lambda request: request.url.startswith(("http://127.0.0.1:", "data:")) or complaints.append(request.url),
    )
    yield page
    assert complaints == []


def _is_ours(text: str) -> bool:
    """What Chromium says of a server that is away, of an archive that this test does not have, or of a token that is
    refused, is no complaint."""
    return not any(
        words in text for words in ("ERR_CONNECTION_REFUSED", "WebSocket connection to", "503", "502", "401")
    )
