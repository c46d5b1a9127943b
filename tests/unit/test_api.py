"""The read API: statistics, overview, errors, health."""

import gzip
import json
import re
from typing import Any

import pytest
from django.test import Client

from realtime.feed import ViewFeed
from realtime.view import LiveView
from swapstats.bootstrap import client_registry
from tests.parts.api_site import ODD, OTHER_USDC, SOLANA, USDC, WETH, Api, api_over, problem, trade
from tests.parts.live_feed import START_MS, LiveFeed, traded


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch) -> Api:
    feed = LiveFeed()
    trade(feed)
    return api_over(feed, monkeypatch)


# Stats of one token


def test_stats_by_identity(api: Api) -> None:
    body = api.json(f"/api/tokens/{USDC}/stats")
    assert body["token"] == {
        "id": USDC,
        "chain_id": 1,
        "address": "0xa0b86991",
        "symbol": "USDC",
        "symbol_matches": 2,
    }
    assert list(body["windows"]) == ["5m", "1h", "24h"]
    assert (body["windows"]["5m"]["trades"], body["windows"]["5m"]["volume_usd"]) == (8, "16.000000")


@pytest.mark.parametrize("reference", ["USDC", "usdc", "UsDc", USDC, "1:0XA0B86991", "1%3A0xa0b86991"])
def test_a_token_has_many_names(api: Api, reference: str) -> None:
    assert api.json(f"/api/tokens/{reference}/stats")["token"]["id"] == USDC


@pytest.mark.parametrize("reference", [SOLANA, ODD, "7:a%2Fstats%2F%C3%BC%3Ax", "%C3%A4%C3%B6%2Fx"])
def test_identities_of_any_shape(api: Api, reference: str) -> None:
    assert api.json(f"/api/tokens/{reference}/stats")["token"]["id"] in (SOLANA, ODD)


@pytest.mark.parametrize("reference", ["1:0xdead", "nope", SOLANA.lower(), "01:0xa0b86991", "x" * 300, "%00", "-1:0xa"])
def test_an_unknown_token_is_not_found(api: Api, reference: str) -> None:
    problem(api.get(f"/api/tokens/{reference}/stats"), 404, "token_not_found")


def test_windows_are_chosen_in_their_own_order(api: Api) -> None:
    assert list(api.json(f"/api/tokens/{USDC}/stats?windows=24h,5m,5m")["windows"]) == ["5m", "24h"]


@pytest.mark.parametrize("windows", ["7m", "", "5m,", "5M", "5m,7m", "5m 1h"])
def test_other_windows_are_refused(api: Api, windows: str) -> None:
    body = problem(api.get(f"/api/tokens/{USDC}/stats?windows={windows}"), 400, "bad_window")
    assert "5m, 1h, 24h" in body["detail"]


def test_fields_of_the_windows_are_chosen(api: Api) -> None:
    body = api.json(f"/api/tokens/{USDC}/stats?fields=trades,volume_usd&windows=1h")
    assert body["windows"] == {"1h": {"volume_usd": "16.000000", "trades": 8}}
    problem(api.get(f"/api/tokens/{USDC}/stats?fields=profit"), 400, "bad_parameter")


def test_a_token_that_left_the_windows_is_unknown(api: Api) -> None:
    api.feed.step(gone=[WETH])
    problem(api.get(f"/api/tokens/{WETH}/stats"), 404, "token_not_found")


def test_what_has_not_changed_is_not_sent_again(api: Api) -> None:
    path = f"/api/tokens/{USDC}/stats"
    tag = api.get(path)["ETag"]
    api.feed.pass_time(100)
    for held in (tag, f'"x", {tag}', tag.removeprefix("W/"), "*"):
        again = api.get(path, if_none_match=held)
        assert (again.status_code, again.content, again["ETag"]) == (304, b"", tag)
    assert api.get(path, if_none_match='"x"').status_code == 200
    api.feed.step({USDC: traded(6)})
    assert api.get(path, if_none_match=tag).status_code == 200


def test_the_same_symbol_for_another_token_is_another_answer(api: Api) -> None:
    """Both tokens have the same epoch and seq."""
    tag = api.get("/api/tokens/usdc/stats")["ETag"]
    assert api.get(f"/api/tokens/{OTHER_USDC}/stats")["ETag"] != tag


# Several at once


def test_a_bad_id_fails_only_itself(api: Api) -> None:
    body = api.json(f"/api/tokens/stats?ids={USDC},nope,{SOLANA},1:0xdead&windows=5m")
    assert [item["token"]["id"] for item in body["items"]] == [USDC, SOLANA]
    assert [list(item["windows"]) for item in body["items"]] == [["5m"], ["5m"]]
    assert [(error["id"], error["code"]) for error in body["errors"]] == [
        ("nope", "token_not_found"),
        ("1:0xdead", "token_not_found"),
    ]


def test_ids_may_be_given_one_by_one(api: Api) -> None:
    assert len(api.json(f"/api/tokens/stats?ids={USDC}&ids=WETH")["items"]) == 2


def test_how_many_ids(api: Api) -> None:
    problem(api.get("/api/tokens/stats"), 400, "bad_parameter")
    problem(api.get("/api/tokens/stats?ids="), 400, "bad_parameter")
    assert len(api.json(f"/api/tokens/stats?ids={','.join(['nope'] * 100)}")["errors"]) == 100
    problem(api.get(f"/api/tokens/stats?ids={','.join(['nope'] * 101)}"), 400, "bad_parameter")


def test_a_bad_window_fails_the_batch(api: Api) -> None:
    problem(api.get("/api/tokens/stats?ids=nope&windows=7m"), 400, "bad_window")


# Overview


def test_the_overview_ranks_by_volume_in_each_window(api: Api) -> None:
    body = api.json("/api/overview")
    assert list(body) == ["as_of", "windows"]
    assert list(body["windows"]) == ["5m", "1h", "24h"]
    ids = [row["token"]["id"] for row in body["windows"]["5m"]]
    assert ids == [WETH, USDC, SOLANA, OTHER_USDC, ODD]
    first = body["windows"]["1h"][0]
    assert (first["volume_usd"], first["from"], first["to"]) == ("2000.000000", first["from"], body["as_of"])


def test_the_overview_by_other_numbers(api: Api) -> None:
    body = api.json("/api/overview?windows=1h&sort=trades&order=asc&limit=2")
    assert {name: [row["trades"] for row in rows] for name, rows in body["windows"].items()} == {"1h": [1, 1]}


def test_the_overview_of_one_chain(api: Api) -> None:
    rows = api.json("/api/overview?windows=5m&chain_id=137&fields=trades")["windows"]["5m"]
    assert [(row["token"]["id"], row["trades"]) for row in rows] == [(OTHER_USDC, 2)]
    assert list(rows[0]) == ["token", "trades"]
    assert api.json("/api/overview?windows=5m&chain_id=2")["windows"]["5m"] == []


@pytest.mark.parametrize(
    "query",
    [
        "sort=profit", "order=up", "limit=0", "limit=101", "limit=x", "limit=", "limit=-1", "limit=1e3",
        "limit=%D9%A1", "chain_id=0", "chain_id=x", "chain_id=9223372036854775808", "fields=x", "sort=",
    ],
)  # fmt: skip
def test_bad_parameters_are_named(api: Api, query: str) -> None:
    body = problem(api.get(f"/api/overview?{query}"), 400, "bad_parameter")
    assert f"`{query.partition('=')[0]}`" in body["detail"]
    assert "expected" in body["detail"]


def test_rows_of_the_overview_are_of_now(api: Api) -> None:
    api.json("/api/overview")
    api.feed.pass_time(60_000)
    body = api.json("/api/overview?windows=5m")
    assert {row["to"] for row in body["windows"]["5m"]} == {body["as_of"]}


def test_an_overview_that_has_not_changed_is_not_sent_again(api: Api) -> None:
    tag = api.get("/api/overview")["ETag"]
    api.feed.pass_time(100)
    assert api.get("/api/overview", if_none_match=tag).status_code == 304
    assert api.get("/api/overview?limit=1", if_none_match=tag).status_code == 200
    api.feed.step({USDC: traded(9)})
    assert api.get("/api/overview", if_none_match=tag).status_code == 200


@pytest.mark.parametrize(
    ("accepted", "is_compressed"),
    [
        ("gzip", True), ("br, gzip;q=0.5", True), ("*", True), ("GZIP ; q=1.0, br", True), ("deflate,gzip", True),
        ("", False), ("br", False), ("gzip;q=0", False), ("gzip;q=0.000, br", False), ("gzipx", False),
    ],
)  # fmt: skip
def test_large_answers_go_compressed(api: Api, accepted: str, is_compressed: bool) -> None:
    plain = api.get("/api/overview").content
    response = api.get("/api/overview", accept_encoding=accepted)
    assert "Accept-Encoding" in response["Vary"]
    assert (response.headers.get("Content-Encoding") == "gzip") is is_compressed
    assert (gzip.decompress(response.content) if is_compressed else response.content) == plain
    assert len(response.content) < len(plain) / 3 or not is_compressed
    small = api.get(f"/api/tokens/{USDC}/stats", accept_encoding=accepted)
    assert "Content-Encoding" not in small.headers


# Errors


def test_nothing_is_ready_before_the_view_is_loaded(monkeypatch: pytest.MonkeyPatch) -> None:
    api = api_over(LiveFeed(), monkeypatch)
    for path in (f"/api/tokens/{USDC}/stats", "/api/tokens/usdc/stats", "/api/overview", "/api/tokens"):
        response = api.get(path)
        problem(response, 503, "not_ready")
        assert response["Retry-After"] == "1"


@pytest.mark.parametrize("path", ["/api/nothing", "/api/", "/nothing", "/api/tokens/", "/api/tokens/x/nothing"])
def test_other_addresses_are_not_found(api: Api, path: str) -> None:
    problem(api.get(path), 404, "not_found")


@pytest.mark.parametrize("method", ["post", "put", "patch", "delete"])
def test_other_methods_are_refused(api: Api, method: str) -> None:
    response = getattr(api.client, method)("/api/overview")
    problem(response, 405, "method_not_allowed")
    assert "GET" in response["Allow"]


def test_other_formats_are_refused(api: Api) -> None:
    problem(api.get("/api/overview", accept="application/xml"), 406, "not_acceptable")
    problem(api.get("/api/overview?format=xml"), 404, "not_found")


def test_an_error_of_ours_tells_nothing_but_its_id(api: Api, monkeypatch: pytest.MonkeyPatch, caplog: Any) -> None:
    def fail() -> LiveView:
        raise RuntimeError("secret detail")

    monkeypatch.setattr("api.views.overview.live_view", fail)
    body = problem(api.get("/api/overview"), 500, "internal_error")
    assert "secret" not in json.dumps(body)
    assert body["request_id"] in caplog.text
    assert "secret detail" in caplog.text


def test_the_request_id_of_a_proxy_is_kept(api: Api) -> None:
    assert api.get("/healthz", x_request_id="abc-1")["X-Request-ID"] == "abc-1"
    made = api.get("/healthz", x_request_id="no\tgood")["X-Request-ID"]
    assert re.fullmatch(r"[0-9a-f]{16}", made)


# Health


def test_healthz_touches_nothing(client: Client) -> None:
    response = client.get("/healthz")
    assert (response.status_code, response.content) == (200, b'{"status":"ok"}')
    assert client.post("/healthz").status_code == 405


def test_readyz_tells_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    feed = LiveFeed()
    view_feed = ViewFeed(feed.view, lambda: None, lambda: None)  # type: ignore[arg-type,return-value]
    view_feed.now_ms = lambda: START_MS + 1_000  # type: ignore[method-assign]
    monkeypatch.setattr("api.views.health.view_feed", lambda: view_feed)
    monkeypatch.setattr(client_registry(), "_is_read", True)
    api = api_over(feed, monkeypatch)
    response = api.get("/readyz")
    assert response.status_code == 503
    assert json.loads(response.content)["checks"]["live_view"]["detail"] == "not loaded yet"
    feed.begin({USDC: traded(1)})
    body = api.json("/readyz")
    assert (body["status"], body["checks"]["live_view"]["lag_ms"]) == ("ok", 1_000)
    view_feed.now_ms = lambda: START_MS + 6_000  # type: ignore[method-assign]
    assert api.get("/readyz").status_code == 503


def test_not_to_be_ready_is_no_error(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    feed = ViewFeed(LiveView(), lambda: None, lambda: None)  # type: ignore[arg-type, return-value]
    monkeypatch.setattr("api.views.health.view_feed", lambda: feed)
    assert Client().get("/readyz").status_code == 503
    assert [record.getMessage() for record in caplog.records if record.levelname == "ERROR"] == []
