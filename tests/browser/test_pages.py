"""The pages in a real browser, in front of a real server."""

import json
import signal
import urllib.request
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import BrowserContext, Page, expect

from tests.browser.conftest import Site

pytestmark = pytest.mark.browser


CUT_OFF = """() => [...document.querySelectorAll("td, th, button, .market dd")]
    .filter((each) => each.checkVisibility() && each.getBoundingClientRect().right > innerWidth)
    .filter((each) => !each.closest(".chains, .scroller"))
    .map((each) => each.outerHTML)"""
"""What reaches out of the page, apart from what can be scrolled."""


def api(site: Site, path: str) -> Any:
    with urllib.request.urlopen(f"{site.url}/api/{path}") as answer:  # noqa: S310 - our own, on loopback
        return json.load(answer)


def shown_of_token(page: Page) -> dict[str, Any]:
    """What the page of a token says at one moment, exact."""
    result: dict[str, Any] = page.evaluate(
        """() => ({
            seq: Number(document.getElementById("version").textContent.replace(/\\D/g, "")),
            price: document.getElementById("price").title,
            windows: Object.fromEntries([...document.querySelectorAll(".window")].map((card) => {
                const field = (name) => card.querySelector(`[data-field="${name}"]`);
                return [card.dataset.window, {
                    volume_usd: field("volume").title.slice(1), volume_token: field("tokens").title,
                    buy_volume_usd: field("bought").title.slice(1), sell_volume_usd: field("sold").title.slice(1),
                    buys: field("buys").textContent, sells: field("sells").textContent,
                }];
            })),
        })"""
    )
    return result


def told_of_token(body: dict[str, Any]) -> dict[str, Any]:
    """What the API says, as the page would write it."""
    fields = ("volume_usd", "volume_token", "buy_volume_usd", "sell_volume_usd", "buys", "sells")
    windows = {
        name: {field: f"{window[field]:,}" if isinstance(window[field], int) else window[field] for field in fields}
        for name, window in body["windows"].items()
    }
    return {"seq": body["seq"], "price": f"${body['price_usd']}", "windows": windows}


def test_the_board_is_live_within_seconds(site: Site, page: Page) -> None:
    page.goto(site.url)
    expect(page.locator("#connection-text")).to_have_text("Live")
    expect(page.locator("#rows tr")).to_have_count(60)
    leader = page.locator(f'a[href="/tokens/{site.leader}"]').locator("xpath=ancestor::tr").locator(".volume b")
    before = leader.get_attribute("title")
    with site.moving():
        expect(leader).not_to_have_attribute("title", before or "")


def test_a_token_shows_what_the_api_says_at_the_same_version(site: Site, page: Page) -> None:
    page.goto(f"{site.url}/tokens/{site.leader}")
    expect(page.locator("#version")).to_contain_text("version")
    with site.moving(how_many=40):
        for _ in range(20):
            body = api(site, f"tokens/{site.leader}/stats")
            wait_for_version(page, body["seq"])
            shown = shown_of_token(page)
            if shown["seq"] == body["seq"]:
                assert shown == told_of_token(body)
    while (shown := shown_of_token(page))["seq"] != (body := api(site, f"tokens/{site.leader}/stats"))["seq"]:
        wait_for_version(page, body["seq"])  # the last tick may still be on its way
    assert shown == told_of_token(body)


def wait_for_version(page: Page, seq: int) -> None:
    """Until the page shows this one or a later one."""
    is_shown = "seq => Number(document.getElementById('version').textContent.replace(/\\D/g, '')) >= seq"
    page.wait_for_function(is_shown, arg=seq)


def test_the_board_shows_what_the_api_says(site: Site, page: Page) -> None:
    page.goto(site.url)
    expect(page.locator("#rows tr")).to_have_count(60)
    with site.moving():
        page.wait_for_timeout(1_000)
    page.wait_for_timeout(1_500)
    leaders = api(site, "overview?windows=5m&limit=60")["windows"]["5m"]
    shown = page.evaluate(
        """() => [...document.querySelectorAll("#rows tr")].map((row) => [
            row.querySelector(".token").title, row.querySelector(".volume b").title])"""
    )
    assert shown == [[row["token"]["id"], f"${row['volume_usd']}"] for row in leaders]


def test_sorting_filtering_and_searching(site: Site, page: Page) -> None:
    page.goto(site.url)
    page.locator('th[data-sort="trades"] button').click()
    expect(page.locator('th[data-sort="trades"]')).to_have_attribute("aria-sort", "descending")
    page.locator('#windows button[data-window="1h"]').click()
    page.locator("#chains button", has_text="Base").click()
    expect(page.locator("#rows tr")).to_have_count(15)
    assert all("Base" in where for where in page.locator(".where").all_text_contents())
    page.reload()
    expect(page.locator("#rows tr")).to_have_count(15)
    expect(page.locator('#windows button[data-window="1h"]')).to_have_attribute("aria-pressed", "true")
    symbol = page.locator(".symbol").first.text_content() or ""
    page.locator("#search").fill(symbol.lower())
    page.wait_for_function(
        "symbol => [...document.querySelectorAll('.symbol')].every((each) => each.textContent.includes(symbol))",
        arg=symbol,
    )
    page.locator("#search").fill("no such token at all")
    expect(page.locator("#nothing")).to_contain_text("Nothing here by that name")


def test_the_search_finds_tokens_beyond_the_list(site: Site, page: Page) -> None:
    other = site.market.assets[1].token_id
    chain = page.request.get(f"{site.url}/api/tokens?search={site.leader}").json()["items"][0]["token"]["chain_id"]
    page.goto(f"{site.url}/?chain={chain}")
    expect(page.locator("#rows tr")).to_have_count(15)
    page.locator("#search").fill(other.partition(":")[2])
    expect(page.locator("#elsewhere a")).to_have_attribute("href", f"/tokens/{other}")
    page.locator("#search").fill("")
    expect(page.locator("#elsewhere")).to_be_empty()


def test_gainers_and_losers_are_one_touch_away(site: Site, page: Page) -> None:
    page.goto(site.url)
    expect(page.locator("#rows tr")).to_have_count(60)
    for name, order in (("Losers", "ascending"), ("Gainers", "descending")):
        page.get_by_role("button", name=name).click()
        expect(page.get_by_role("button", name=name)).to_have_attribute("aria-pressed", "true")
        expect(page.locator('th[data-sort="price_change_pct"][data-window="5m"]')).to_have_attribute("aria-sort", order)
        sort = "asc" if order == "ascending" else "desc"
        first = api(site, f"overview?windows=5m&limit=1&sort=price_change_pct&order={sort}")["windows"]["5m"][0]
        expect(page.locator("#rows tr:first-child .token")).to_have_attribute("title", first["token"]["id"])


@pytest.mark.parametrize("width", [320, 390, 768, 1440, 2560])
def test_every_width_is_wide_enough(site: Site, page: Page, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 800})
    for path in ("/", f"/tokens/{site.leader}"):
        page.goto(site.url + path)
        expect(page.locator("#connection-text")).to_have_text("Live")
        assert page.evaluate("() => document.documentElement.scrollWidth <= innerWidth")
        assert page.evaluate(CUT_OFF) == []


def test_everything_can_be_done_from_the_keyboard(site: Site, page: Page) -> None:
    page.goto(site.url)
    expect(page.locator("#rows tr")).to_have_count(60)
    page.keyboard.press("/")
    expect(page.locator("#search")).to_be_focused()
    page.keyboard.press("ArrowDown")
    expect(page.locator("#rows tr").nth(0).locator("a")).to_be_focused()
    page.keyboard.press("ArrowDown")
    second = page.locator("#rows tr").nth(1).locator("a")
    expect(second).to_be_focused()
    target = second.get_attribute("href")
    page.keyboard.press("Enter")
    page.wait_for_url(f"**{target}")


def test_a_correction_is_to_be_seen(site: Site, page: Page) -> None:
    page.goto(site.url)
    expect(page.locator("#rows tr")).to_have_count(60)
    site.reorg()
    expect(page.locator("#corrections")).to_contain_text("1 reorg correction")
    expect(page.locator("#rows .mark")).to_have_count(1)


def test_the_server_dies_and_comes_back(site: Site, page: Page) -> None:
    page.goto(f"{site.url}/tokens/{site.leader}")
    expect(page.locator("#connection-text")).to_have_text("Live")
    site.web.stop(signal.SIGKILL)
    expect(page.locator("#connection")).to_have_attribute("data-state", "lost")
    expect(page.locator("#connection-age")).to_contain_text("retry in")
    site.tick(60)
    site.web.start()
    expect(page.locator("#connection-text")).to_have_text("Live", timeout=60_000)
    body = api(site, f"tokens/{site.leader}/stats")
    expect(page.locator("#version")).to_have_text(f"version {body['seq']}")
    assert shown_of_token(page) == told_of_token(body)


def test_a_server_that_ends_in_good_order_says_so(site: Site, page: Page) -> None:
    page.goto(site.url)
    expect(page.locator("#connection-text")).to_have_text("Live")
    assert site.web.stop() == 0
    expect(page.locator("#connection-text")).to_have_text("Server restarting")
    expect(page.locator("#connection-retry")).to_be_visible()
    site.web.start()
    page.locator("#connection-retry").dispatch_event("click")  # it may have come back by itself meanwhile
    expect(page.locator("#connection-text")).to_have_text("Live")


def test_a_lost_patch_is_noticed_and_mended(site: Site, page: Page) -> None:
    asked: list[str] = []
    lose = [False]

    def between(route: Any) -> None:
        server = route.connect_to_server()
        route.on_message(lambda text: (asked.append(text), server.send(text)))
        server.on_message(lambda text: '"patches"' in text and lose.pop() if lose[-1:] == [True] else route.send(text))

    page.route_web_socket("**/ws", between)
    page.goto(f"{site.url}/tokens/{site.leader}")
    expect(page.locator("#version")).to_contain_text("version")
    before = sum("subscribe" in text for text in asked)
    lose.append(True)
    for _ in range(3):
        site.tick(60)
        page.wait_for_timeout(500)
    body = api(site, f"tokens/{site.leader}/stats")
    expect(page.locator("#version")).to_have_text(f"version {body['seq']}")
    assert shown_of_token(page) == told_of_token(body)
    assert sum("subscribe" in text for text in asked) == before + 1


def test_an_unknown_symbol_is_explained(site: Site, page: Page) -> None:
    page.goto(f"{site.url}/tokens/NOSUCHTOKEN")
    expect(page.locator("#problem")).to_contain_text("No token carries the symbol")


def test_a_token_nobody_traded_has_zeros(site: Site, page: Page) -> None:
    page.goto(f"{site.url}/tokens/1:0xnever")
    expect(page.locator('[data-window="24h"] [data-field="volume"]')).to_have_text("$0")


@pytest.mark.parametrize("scheme", ["dark", "light"])
@pytest.mark.parametrize("width", [1440, 390])
def test_axe_finds_nothing(site: Site, context: BrowserContext, scheme: str, width: int) -> None:
    page = context.new_page()
    page.set_viewport_size({"width": width, "height": 900})
    page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
    for path in ("/", f"/tokens/{site.leader}", "/tokens/NOSUCHTOKEN"):
        page.goto(site.url + path)
        expect(page.locator("#connection")).not_to_have_attribute("data-state", "connecting")
        page.wait_for_timeout(500)
        found = Axe().run(page).response["violations"]
        assert not [(each["id"], each["nodes"][0]["html"], each["nodes"][0]["failureSummary"]) for each in found]


def test_nothing_jumps_while_numbers_move(site: Site, page: Page) -> None:
    page.add_init_script(
        """window.shifts = [];  // rows are meant to change places
        const jumps = ({sources}) => sources.some(({node}) => node?.nodeName !== "TR");
        const note = (list) => window.shifts.push(...list.getEntries().filter(jumps).map(({value}) => value));
        new PerformanceObserver(note)
            .observe({type: "layout-shift", buffered: true});"""
    )
    for path in ("/", f"/tokens/{site.leader}"):
        page.goto(site.url + path)
        expect(page.locator("#connection-text")).to_have_text("Live")
        with site.moving(how_many=60):
            page.wait_for_timeout(1_500)
            site.reorg()
            page.wait_for_timeout(1_000)
        assert sum(page.evaluate("window.shifts")) < 0.01
