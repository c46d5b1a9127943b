"""The API's page and the admin in a real browser: the `page` fixture fails where either breaks its content policy."""

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Site

pytestmark = pytest.mark.browser


def test_the_documentation_shows_every_address(site: Site, page: Page) -> None:
    page.goto(f"{site.url}/api/docs/")
    expect(page.locator("#swagger-ui .info .title")).to_contain_text("swapstats")
    page.locator(".opblock-summary-path", has_text="overview").click()
    expect(page.locator(".opblock.is-open .parameters-container")).to_contain_text("sort")


def test_the_admin_asks_who_is_there(site: Site, page: Page) -> None:
    page.goto(f"{site.url}/admin/")
    expect(page.locator("#login-form input[type=submit]")).to_be_visible()


def test_the_api_can_be_browsed(site: Site, page: Page) -> None:
    page.goto(f"{site.url}/api/overview")
    expect(page.locator(".response-info")).to_contain_text("volume_usd")
