"""What browsers are told of every kind of answer."""

import pytest
from django.contrib.auth.models import User
from django.test import Client

from api.security_headers import BROWSABLE, NO_PAGE, PERMISSIONS, POLICY
from realtime.pages import CONTENT_SECURITY_POLICY
from tests.parts.tokens import bearer

EVERYWHERE = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
}
PAGES = ["/", "/tokens/usdc", "/api/docs/", "/admin/login/"]
NO_PAGES = [
    "/healthz",
    "/api/tokens",
    "/api/nothing",
    "/api/schema/",
    "/api/docs/?script=",
    "/nothing",
    "/static/admin/css/base.css",
]


@pytest.mark.parametrize("path", [*PAGES, *NO_PAGES])
def test_every_answer_is_protected(client: Client, path: str) -> None:
    response = client.get(path, headers=bearer())
    assert {name: response[name] for name in EVERYWHERE} == EVERYWHERE
    assert "camera=()" in response[PERMISSIONS]
    assert response[POLICY] == (CONTENT_SECURITY_POLICY if path in PAGES else NO_PAGE)


@pytest.mark.parametrize("directive", ["default-src 'none'", "frame-ancestors 'none'", "base-uri 'none'"])
def test_the_policy_of_pages_is_strict(directive: str) -> None:
    assert directive in CONTENT_SECURITY_POLICY
    assert "unsafe" not in CONTENT_SECURITY_POLICY
    assert "script-src 'self';" in BROWSABLE


@pytest.mark.django_db
def test_cookies_stay_with_us(client: Client) -> None:
    User.objects.create_user("operator", password="correct horse battery", is_staff=True)
    page = client.get("/admin/login/")
    assert "<script>" not in page.content.decode()
    client.post("/admin/login/", {"username": "operator", "password": "correct horse battery"})
    for name in ("sessionid", "csrftoken"):
        cookie = client.cookies[name]
        assert (cookie["httponly"], cookie["samesite"]) == (True, "Lax")
    assert 0 < int(client.cookies["sessionid"]["max-age"]) <= 12 * 3600
