"""Whatever is sent in a header, an identity or a cursor: an answer that was meant, never an error of ours."""

import base64
import json

import msgspec
import pytest
from django.test import Client
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from api.pagination import Cursor, write_cursor
from tests.parts.api_site import Api, api_over, trade
from tests.parts.live_feed import LiveFeed
from tests.parts.tokens import bearer

MEANT = {200, 304, 400, 401, 404, 406, 413, 414, 429, 431}
ANY_CASE = settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
NAMES = ("Accept", "Accept-Encoding", "Authorization", "If-None-Match", "Origin", "X-Forwarded-For", "X-Request-ID")

header_text = st.text(st.characters(max_codepoint=255, exclude_characters="\r\n\x00"), max_size=200)
values = st.one_of(st.sampled_from(["", "nan", "inf", "-", "1e999", "²", "9" * 400]), st.text(max_size=20))
places = st.tuples(st.text(max_size=60), st.text(max_size=20), st.integers(-5, 2**63 - 1), values)


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch) -> Api:
    feed = LiveFeed()
    trade(feed)
    return api_over(feed, monkeypatch)


def meant(api: Api, path: str, headers: dict[str, str]) -> None:
    response = Client(raise_request_exception=False).get(path, headers=headers)
    assert response.status_code in MEANT, (response.status_code, response.content)
    if response.status_code >= 400 and "json" in response.get("Content-Type", ""):
        text = response.content.decode()
        assert json.loads(text)["status"] == response.status_code
        assert "Traceback" not in text
        assert "127.0.0.1" not in text


@ANY_CASE
@given(st.dictionaries(st.sampled_from(NAMES), header_text, max_size=4), st.booleans())
def test_headers(api: Api, headers: dict[str, str], has_token: bool) -> None:
    meant(api, "/api/tokens/usdc/stats", (bearer() if has_token else {}) | headers)


@ANY_CASE
@given(st.text(max_size=300).map(lambda text: text.replace("?", "").replace("#", "")))
def test_identities(api: Api, reference: str) -> None:
    path = f"/api/tokens/{reference}/stats".encode("utf-8", "surrogatepass").decode("latin-1")
    meant(api, path, bearer())


@ANY_CASE
@given(st.one_of(st.text("ABCDabcd0123_-=+/%", max_size=80), st.text(max_size=50)), st.sampled_from(["id", "trades"]))
def test_cursors_that_are_none(api: Api, cursor: str, sort: str) -> None:
    assert api.client.get("/api/tokens", {"cursor": cursor, "sort": sort}, headers=bearer()).status_code in (200, 400)


@ANY_CASE
@given(places, st.sampled_from(["id", "trades"]))
def test_cursors_that_somebody_else_wrote(api: Api, place: tuple[str, str, int, str], sort: str) -> None:
    """With the right question in them, and anything as the place."""
    query = {"sort": sort, "limit": "1"}
    ours = api.client.get("/api/tokens", query, headers=bearer()).json()["next_cursor"]
    question = msgspec.msgpack.decode(base64.urlsafe_b64decode(ours + "=" * (-len(ours) % 4)))[0]
    forged = write_cursor(Cursor(question, *place))
    response = api.client.get("/api/tokens", query | {"cursor": forged}, headers=bearer())
    assert response.status_code in (200, 400), response.content
    if response.status_code == 200:
        assert len(response.json()["items"]) <= 1
