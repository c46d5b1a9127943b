"""Pictures of the pages for docs/images: `make screenshots`, while `make up` runs."""

import argparse
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from shutil import which
from typing import Any

from playwright.sync_api import Browser, Page, expect, sync_playwright

from tests.conftest import BROWSERS

IMAGES = Path(__file__).resolve().parents[2] / "docs" / "images"
DESKTOP: dict[str, Any] = {"viewport": {"width": 1440, "height": 900}}
PHONE: dict[str, Any] = {"viewport": {"width": 390, "height": 844}, "device_scale_factor": 2, "is_mobile": True}
SHOTS = (
    ("board-dark", "/", DESKTOP | {"color_scheme": "dark"}),
    ("board-light", "/", DESKTOP | {"color_scheme": "light"}),
    ("board-phone", "/", PHONE | {"color_scheme": "dark"}),
    ("token-dark", None, DESKTOP | {"color_scheme": "dark"}),
    ("token-phone", None, PHONE | {"color_scheme": "light"}),
)
"""Name, path (None: the page of the leading token), and what the browser is like."""
WAIT_MS = 60_000
MOVE_MS = 3_000
NO_ROW_MOVES = "() => !document.getAnimations().some((each) => each.effect.target?.matches('tr'))"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--url", default="http://127.0.0.1:8080", help="a running system (default: that of make up)")
    url = parser.parse_args().url
    IMAGES.mkdir(exist_ok=True)
    with launched() as browser:
        for name, path, look in SHOTS:
            context = browser.new_context(**look)
            page = context.new_page()
            page.set_default_timeout(WAIT_MS)
            page.goto(url + (path or _leader(page, url)))
            expect(page.locator("#connection-text")).to_have_text("Live", timeout=WAIT_MS)
            page.wait_for_timeout(MOVE_MS)
            page.wait_for_function(NO_ROW_MOVES)
            page.screenshot(path=IMAGES / f"{name}.png")
            print(f"docs/images/{name}.png")
            context.close()


def _leader(page: Page, url: str) -> str:
    leaders = page.request.get(f"{url}/api/overview?limit=1").json()["windows"]
    return f"/tokens/{next(iter(leaders.values()))[0]['token']['id']}"


@contextmanager
def launched() -> Iterator[Browser]:
    """The browser that this machine has installed."""
    sandbox = [] if os.getuid() else ["--no-sandbox"]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=next(filter(None, map(which, BROWSERS)), None), args=sandbox
        )
        yield browser
        browser.close()


if __name__ == "__main__":
    main()
