"""How smooth the leaderboard is while 500 tokens change ten times a second: `python -m tests.browser.frames`.

Beside each figure stands that of an almost empty page in the same browser, under the same load: what a page can have
here at best. Its one square moves with each frame, so that there is something to paint.
"""

import argparse
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from playwright.sync_api import Browser, CDPSession, Page

from tests.browser.conftest import site_with
from tests.browser.screenshots import launched
from tests.load.report import Row, percentile, publish

TOKENS = 500
WAIT_MS = 60_000
SETTLE_MS = 3_000
VIEWPORT: Any = {"width": 1440, "height": 900}
SQUARE = "<!doctype html><div id='square' style='width: 20px; height: 20px; background: teal'></div>"
MOVE_SQUARE = """() => {
    const move = (now) => {
        document.getElementById("square").style.translate = `${now / 10 % 500}px`;
        requestAnimationFrame(move);
    };
    requestAnimationFrame(move);
}"""
WATCH = """async (milliseconds) => {
    const long = [], frames = [];
    const observer = new PerformanceObserver((list) => long.push(...list.getEntries().map((entry) => entry.duration)));
    observer.observe({ type: "longtask" });
    const end = performance.now() + milliseconds;
    await new Promise((done) => {
        let last;
        const frame = (now) => {
            if (last !== undefined) frames.push(now - last);
            last = now;
            now < end ? requestAnimationFrame(frame) : done();
        };
        requestAnimationFrame(frame);
    });
    return { long, frames };
}"""


class Seen(NamedTuple):
    """What was seen of a page within some seconds; CPU time is that of its main thread, in seconds, by what on.
    `heard` counts the frames that its WebSocket brought."""

    seconds: int
    frames: list[float]
    long: list[float]
    busy: Mapping[str, float]
    heard: int

    def rate(self) -> float:
        return len(self.frames) / self.seconds

    def gaps(self) -> str:
        frames = self.frames
        return f"{percentile(frames, 0.5):.1f} / {percentile(frames, 0.99):.1f} / {max(frames):.1f} ms"

    def long_tasks(self) -> str:
        return f"{len(self.long)}, the longest {max(self.long):.0f} ms" if self.long else "none"

    def share(self, *names: str) -> str:
        return f"{sum(self.busy[name] for name in names) / self.seconds:.0%}"

    def a_step(self) -> str:
        return f"{1000 * self.busy['TaskDuration'] / max(1, self.heard):.1f} ms"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=int, default=20, help="how long each page is watched (default: 20)")
    seconds = parser.parse_args().seconds
    with tempfile.TemporaryDirectory() as directory, site_with(TOKENS, Path(directory)) as site, launched() as browser:
        board = opened(browser)
        heard = frames_heard(board)
        board.goto(f"{site.url}/?all=1")
        board.wait_for_selector(f"#rows tr:nth-child({TOKENS})", state="attached", timeout=WAIT_MS)
        with site.moving(TOKENS):
            board.wait_for_timeout(SETTLE_MS)
            seen = watch(board, seconds, heard)
            board.close()
            best = watch(empty_page(browser), seconds)
    publish("the leaderboard with 500 tokens at 10 Hz", list(rows(seen, best)))


def opened(browser: Browser) -> Page:
    return browser.new_page(viewport=VIEWPORT)


def empty_page(browser: Browser) -> Page:
    page = opened(browser)
    page.set_content(SQUARE)
    page.evaluate(MOVE_SQUARE)
    page.wait_for_timeout(SETTLE_MS)
    return page


def frames_heard(page: Page) -> list[int]:
    """The lengths of the frames that the page's WebSocket brings from now on."""
    lengths: list[int] = []
    page.on("websocket", lambda socket: socket.on("framereceived", lambda payload: lengths.append(len(payload))))
    return lengths


def watch(page: Page, seconds: int, heard: list[int] | None = None) -> Seen:
    client = page.context.new_cdp_session(page)
    client.send("Performance.enable", {"timeDomain": "threadTicks"})
    before, heard_before = spent(client), len(heard or ())
    seen: dict[str, list[float]] = page.evaluate(WATCH, seconds * 1000)
    busy = {name: value - before[name] for name, value in spent(client).items()}
    return Seen(seconds, seen["frames"], seen["long"], busy, len(heard or ()) - heard_before)


def spent(client: CDPSession) -> dict[str, float]:
    """Seconds of CPU time that the page's main thread has spent so far, by what on."""
    return {metric["name"]: metric["value"] for metric in client.send("Performance.getMetrics")["metrics"]}


def rows(seen: Seen, best: Seen) -> Iterator[Row]:
    yield "frames per second", f"{seen.rate():.0f}, where an empty page has {best.rate():.0f}"
    yield "time between frames, median / p99 / longest", seen.gaps()
    yield "the same of an empty page", best.gaps()
    yield "tasks of more than 50 ms", f"{seen.long_tasks()}; of an empty page: {best.long_tasks()}"
    yield "steps that reached the page per second", f"{seen.heard / seen.seconds:.1f}"
    yield "main thread busy, CPU time", f"{seen.share('TaskDuration')}; a step: {seen.a_step()}"
    yield (
        "of it in scripts, in style and layout",
        f"{seen.share('ScriptDuration')}, {seen.share('RecalcStyleDuration', 'LayoutDuration')}",
    )


if __name__ == "__main__":
    main()
