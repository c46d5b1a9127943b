"""The tab survives a night: what a minute of a busy market adds to it is nothing."""

from pathlib import Path

import pytest
from playwright.sync_api import CDPSession, Page, expect

from tests.browser.conftest import Site

pytestmark = pytest.mark.browser

FED_BY_HAND = Path(__file__).with_name("fed_by_hand.js")
STEPS_A_MINUTE = 600
STEPS_FIRST = 150
"""Until rows, formats and compiled code are there that stay."""
FEED = """async (steps) => {
    for (let done = 0; done < steps; done++) {
        window.step();
        await new Promise((drawn) => requestAnimationFrame(drawn));
    }
}"""


def held(client: CDPSession, page: Page) -> dict[str, float]:
    """What the page holds on to when nothing is left to be collected."""
    expect(page.locator("#rows .mark")).to_have_count(0)
    client.send("HeapProfiler.collectGarbage")
    return {metric["name"]: metric["value"] for metric in client.send("Performance.getMetrics")["metrics"]}


def test_a_minute_of_500_tokens_leaves_nothing_behind(site: Site, page: Page) -> None:
    page.add_init_script(path=FED_BY_HAND)
    page.goto(f"{site.url}/?all=1")
    expect(page.locator("#rows tr:not(.placeholder)")).to_have_count(500)
    client = page.context.new_cdp_session(page)
    client.send("Performance.enable")
    page.evaluate(FEED, STEPS_FIRST)
    before = held(client, page)
    page.evaluate(FEED, STEPS_A_MINUTE)
    after = held(client, page)
    assert after["JSHeapUsedSize"] < before["JSHeapUsedSize"] * 1.05
    assert after["Nodes"] < before["Nodes"] * 1.01
    assert after["JSEventListeners"] == before["JSEventListeners"]
