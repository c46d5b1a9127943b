"""Where tokens are asked for, people sign in, stay signed in, and are let out."""

import secrets
from collections.abc import Iterator

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from tests.browser.conftest import Site, site_with

pytestmark = pytest.mark.browser

NAME, PASSWORD = "ann", secrets.token_urlsafe(12)


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with site_with(10, tmp_path_factory.mktemp("guarded"), SWAPSTATS_SECURITY__JWT__ENABLED="true") as site:
        site.web.manage("migrate", "--noinput")
        site.web.manage(
            *("createsuperuser", "--noinput", "--username", NAME, "--email", "ann@example.org"),
            DJANGO_SUPERUSER_PASSWORD=PASSWORD,
        )
        yield site


def sign_in(page: Page, password: str = PASSWORD) -> None:
    page.get_by_label("User name").fill(NAME)
    page.get_by_label("Password").fill(password)
    page.get_by_role("button", name="Sign in").click()


def test_who_signs_in_sees_what_is_live_and_stays_signed_in(guarded: Site, page: Page) -> None:
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.on("websocket", lambda socket: asked.append(socket.url))
    page.goto(guarded.url)
    expect(page.locator("#connection-text")).to_have_text("Not signed in")
    assert not Axe().run(page).response["violations"]
    sign_in(page)
    expect(page.locator("#connection-text")).to_have_text("Live")
    expect(page.locator("#rows tr")).to_have_count(10)
    page.goto(f"{guarded.url}/tokens/{guarded.leader}")
    expect(page.locator("#connection-text")).to_have_text("Live")
    expect(page.locator("#sign-in")).to_be_hidden()
    tokens = page.evaluate("Object.values(JSON.parse(sessionStorage.getItem('swapstats.tokens')))")
    assert len(tokens) == 2
    assert not [url for url in asked for token in tokens if token in url]
    assert page.evaluate("Object.keys(localStorage)") == []


def test_who_signs_out_is_asked_again(guarded: Site, page: Page) -> None:
    page.goto(guarded.url)
    sign_in(page)
    page.get_by_role("button", name="Sign out").click()
    expect(page.locator("#sign-in")).to_be_visible()
    assert page.evaluate("sessionStorage.length") == 0


def test_an_access_token_that_has_ended_is_renewed(guarded: Site, page: Page) -> None:
    page.goto(guarded.url)
    sign_in(page)
    expect(page.locator("#connection-text")).to_have_text("Live")
    page.evaluate(
        """() => {
            const tokens = JSON.parse(sessionStorage.getItem("swapstats.tokens"));
            sessionStorage.setItem("swapstats.tokens", JSON.stringify({ ...tokens, access: "ended" }));
        }"""
    )
    page.reload()
    expect(page.locator("#connection-text")).to_have_text("Live")
    expect(page.locator("#sign-in")).to_be_hidden()


def test_a_wrong_password_is_said(guarded: Site, page: Page) -> None:
    page.goto(guarded.url)
    sign_in(page, "wrong")
    expect(page.locator("#sign-in-problem")).to_have_text("User name and password do not belong together.")
    sign_in(page)
    expect(page.locator("#connection-text")).to_have_text("Live")
