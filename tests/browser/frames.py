"""How smooth the leaderboard is while 500 tokens change ten times a second: `python -m tests.browser.frames`."""

import argparse
import tempfile
from pathlib import Path
from typing import Any

from playwright.sync_api import CDPSession, Page

from tests.browser.conftest import site_with
from tests.browser.screenshots import launched
from tests.load.report import Row, percentile, publish

TOKENS = 500
WAIT_MS = 60_000
SETTLE_MS = 3_000
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


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=int, default=20, help="how long it is watched (default: 20)")
    seconds = parser.parse_args().seconds
    with tempfile.TemporaryDirectory() as directory, site_with(TOKENS, Path(directory)) as site, launched() as browser:
        page = browser.new_page(viewport={"width": 1440, "height": 900})
        page.goto(f"{site.url}/?all=1")
        page.wait_for_selector(f"#rows tr:nth-child({TOKENS})", state="attached", timeout=WAIT_MS)
        with site.moving(TOKENS):
            page.wait_for_timeout(SETTLE_MS)
            rows = measure(page, seconds)
    publish("the leaderboard with 500 tokens at 10 Hz", rows)


def measure(page: Page, seconds: int) -> list[Row]:
    client = page.context.new_cdp_session(page)
    client.send("Performance.enable", {"timeDomain": "threadTicks"})
    before = spent(client)
    seen: dict[str, Any] = page.evaluate(WATCH, seconds * 1000)
    busy = {name: value - before[name] for name, value in spent(client).items()}
    frames, long = seen["frames"], seen["long"]
    return [
        ("frames per second", f"{len(frames) / seconds:.0f}"),
        ("time between frames, median / p99 / longest",
         f"{percentile(frames, 0.5):.1f} / {percentile(frames, 0.99):.1f} / {max(frames):.1f} ms"),
        ("tasks of more than 50 ms", f"{len(long)}, the longest {max(long, default=0):.0f} ms" if long else "none"),
        ("main thread busy, CPU time", f"{busy['TaskDuration'] / seconds:.0%}"),
        ("of it in scripts, in style and layout",
         f"{busy['ScriptDuration'] / seconds:.0%}, "
         f"{(busy['RecalcStyleDuration'] + busy['LayoutDuration']) / seconds:.0%}"),
    ]  # fmt: skip


def spent(client: CDPSession) -> dict[str, float]:
    """Seconds of CPU time that the page's main thread has spent so far, by what on."""
    return {metric["name"]: metric["value"] for metric in client.send("Performance.getMetrics")["metrics"]}


if __name__ == "__main__":
    main()
