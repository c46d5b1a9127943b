"""The read API, over a live view that the test drives."""

import gzip
import json
import re
from typing import Any

import jsonschema
import pytest
from django.http import HttpResponse
from django.test import Client

from realtime.ranking import Ranking
from realtime.view import LiveView
from swapstats.adapters.system.rate_limiter import LocalRateLimiter
from tests.parts.live_feed import START_MS, LiveFeed, traded
from tests.parts.tokens import bearer

USDC, OTHER_USDC, WETH = "1:0xa0b86991", "137:0x27f8d03b", "1:0xc02aaa39"
SOLANA = "501:So11111111111111111111111111111111111111112"
ODD = "7:a/stats/ü:x"


class Api:
    def __init__(self, feed: LiveFeed) -> None:
        self.feed = feed
        self.client = Client(raise_request_exception=False, headers=bearer())

    def get(self, path: str, **headers: str) -> HttpResponse:
        return self.client.get(path, headers=headers)

    def json(self, path: str) -> Any:
        response = self.get(path)
        assert response.status_code == 200, response.content
        return json.loads(response.content)


@pytest.fixture
def feed(monkeypatch: pytest.MonkeyPatch) -> LiveFeed:
    """In place of the process's own."""
    feed = LiveFeed()
    ranking = Ranking(feed.view)
    for module in ("stats", "overview", "token_list"):
        monkeypatch.setattr(f"api.views.{module}.live_view", lambda: feed.view)
    for module in ("overview", "token_list"):
        monkeypatch.setattr(f"api.views.{module}.token_ranking", lambda: ranking)
    monkeypatch.setattr("api.throttling.rate_limiter", LocalRateLimiter)
    monkeypatch.setattr("api.views.overview._recent", _Never())
    monkeypatch.setattr("api.views.token_list._matching", _Never())
    return feed


class _Never:
    """Keeps nothing, so that each answer is of now."""

    def get(self, key: object, make: Any) -> Any:
        return make()


@pytest.fixture
def api(feed: LiveFeed) -> Api:
    feed.begin(
        {
            USDC: traded(5, 3),
            OTHER_USDC: traded(2),
            WETH: traded(1, price=2_000, symbol="WETH"),
            SOLANA: traded(4, symbol=None),
            ODD: traded(1, symbol="ÄÖ/x"),
        }
    )
    return Api(feed)


def problem(response: HttpResponse, status: int, code: str) -> dict[str, Any]:
    assert (response.status_code, response["Content-Type"]) == (status, "application/problem+json"), response.content
    body = json.loads(response.content)
    assert set(body) == {"type", "title", "status", "detail", "code", "request_id"}
    assert (body["status"], body["code"], body["type"]) == (status, code, f"urn:swapstats:problem:{code}")
    assert body["request_id"] == response["X-Request-ID"] != ""
    return body


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


# The list of tokens


def walk(api: Api, query: str, between: Any = lambda: None) -> list[str]:
    ids, cursor = [], ""
    while cursor is not None:
        body = api.json(f"/api/tokens?{query}&cursor={cursor}")
        ids += [item["token"]["id"] for item in body["items"]]
        cursor = body["next_cursor"]
        between()
    return ids


def test_all_tokens(api: Api) -> None:
    body = api.json("/api/tokens")
    assert [item["token"]["id"] for item in body["items"]] == sorted([USDC, OTHER_USDC, WETH, SOLANA, ODD])
    assert (body["total"], body["window"], body["next_cursor"]) == (5, "24h", None)
    assert body["items"][0]["volume_usd"]


@pytest.mark.parametrize("limit", range(1, 7))
@pytest.mark.parametrize("order", ["asc", "desc"])
def test_pages_hold_each_token_once(api: Api, limit: int, order: str) -> None:
    expected = sorted([USDC, OTHER_USDC, WETH, SOLANA, ODD], reverse=order == "desc")
    assert walk(api, f"limit={limit}&order={order}") == expected


@pytest.mark.parametrize("sort", ["volume_usd", "trades", "price_change_pct"])
def test_pages_stay_stable_while_values_move(api: Api, sort: str) -> None:
    before = [item["token"]["id"] for item in api.json(f"/api/tokens?sort={sort}")["items"]]
    moves = iter(range(10, 100))
    walked = walk(api, f"sort={sort}&limit=1", lambda: api.feed.step({ODD: traded(next(moves)), WETH: traded(1)}))
    assert walked == before


def test_pages_by_id_go_on_though_tokens_come_and_go(api: Api) -> None:
    first = api.json("/api/tokens?limit=2")
    last_id = first["items"][-1]["token"]["id"]
    api.feed.step({"1:0x0000": traded(1), "9:0xffff": traded(1)}, gone=[last_id])
    rest = api.json(f"/api/tokens?limit=100&cursor={first['next_cursor']}")
    assert [item["token"]["id"] for item in rest["items"]] == [WETH, SOLANA, ODD, "9:0xffff"]


def test_an_order_that_is_not_kept_any_more_goes_on_behind_the_last_token(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    from api.pagination import FrozenOrders

    first = api.json("/api/tokens?sort=volume_usd&limit=2")
    monkeypatch.setattr("api.views.token_list._frozen", FrozenOrders())
    rest = api.json(f"/api/tokens?sort=volume_usd&limit=2&cursor={first['next_cursor']}")
    assert [item["token"]["id"] for item in first["items"] + rest["items"]] == [WETH, USDC, SOLANA, OTHER_USDC]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("search=usd", [USDC, OTHER_USDC]),
        ("search=0XC02", [WETH]),
        ("search=So111", [SOLANA]),
        ("search=zzz", []),
        ("symbol=usdc", [USDC, OTHER_USDC]),
        ("symbol=usd", []),
        ("chain_id=501", [SOLANA]),
        ("symbol=usdc&chain_id=137", [OTHER_USDC]),
    ],
)
def test_tokens_are_searched(api: Api, query: str, expected: list[str]) -> None:
    assert [item["token"]["id"] for item in api.json(f"/api/tokens?{query}")["items"]] == sorted(expected)


@pytest.mark.parametrize("cursor", ["x", "!!!!", "AAAA", "k" * 2000, "%C3%BC", "lKM="])
def test_a_foreign_cursor_is_refused(api: Api, cursor: str) -> None:
    problem(api.get(f"/api/tokens?cursor={cursor}"), 400, "bad_parameter")


def test_a_cursor_belongs_to_its_question(api: Api) -> None:
    cursor = api.json("/api/tokens?limit=1")["next_cursor"]
    problem(api.get(f"/api/tokens?limit=1&sort=trades&cursor={cursor}"), 400, "bad_parameter")


# Errors


def test_nothing_is_ready_before_the_view_is_loaded(feed: LiveFeed, monkeypatch: pytest.MonkeyPatch) -> None:
    api = Api(feed)
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


def test_readyz_tells_what_is_missing(feed: LiveFeed, monkeypatch: pytest.MonkeyPatch) -> None:
    from realtime.feed import ViewFeed

    view_feed = ViewFeed(feed.view, lambda: None, lambda: None)  # type: ignore[arg-type,return-value]
    view_feed.now_ms = lambda: START_MS + 1_000  # type: ignore[method-assign]
    monkeypatch.setattr("api.views.health.view_feed", lambda: view_feed)
    api = Api(feed)
    response = api.get("/readyz")
    assert response.status_code == 503
    assert json.loads(response.content)["checks"]["live_view"]["detail"] == "not loaded yet"
    feed.begin({USDC: traded(1)})
    body = api.json("/readyz")
    assert (body["status"], body["checks"]["live_view"]["lag_ms"]) == ("ok", 1_000)
    view_feed.now_ms = lambda: START_MS + 6_000  # type: ignore[method-assign]
    assert api.get("/readyz").status_code == 503


# The schema


@pytest.fixture(scope="module")
def schema() -> dict[str, Any]:
    return json.loads(Client().get("/api/schema/").content)


def validate(schema: dict[str, Any], path: str, response: HttpResponse) -> None:
    answer = schema["paths"][path]["get"]["responses"][str(response.status_code)]
    expected = answer["content"][response["Content-Type"]]["schema"]
    jsonschema.validate(
        json.loads(response.content),
        {**_nullable(expected), "components": _nullable(schema["components"])},
        cls=jsonschema.Draft202012Validator,
        format_checker=jsonschema.FormatChecker(),
    )


def _nullable(node: Any) -> Any:
    """OpenAPI 3.0 writes `nullable` where JSON Schema has a list of types."""
    if isinstance(node, list):
        return [_nullable(item) for item in node]
    if not isinstance(node, dict):
        return node
    node = {name: _nullable(value) for name, value in node.items()}
    if node.pop("nullable", False):
        node["type"] = [node["type"], "null"]
    return node


@pytest.mark.parametrize(
    ("path", "question"),
    [
        ("/api/tokens/{reference}/stats", f"/api/tokens/{USDC}/stats"),
        ("/api/tokens/{reference}/stats", f"/api/tokens/{SOLANA}/stats?fields=trades"),
        ("/api/tokens/{reference}/stats", "/api/tokens/nope/stats"),
        ("/api/tokens/{reference}/stats", f"/api/tokens/{USDC}/stats?windows=x"),
        ("/api/tokens/stats", f"/api/tokens/stats?ids={USDC},nope"),
        ("/api/tokens/stats", "/api/tokens/stats"),
        ("/api/overview", "/api/overview"),
        ("/api/overview", "/api/overview?limit=0"),
        ("/api/tokens", "/api/tokens?limit=2"),
        ("/api/tokens", "/api/tokens?cursor=x"),
    ],
)
def test_answers_are_as_the_schema_says(api: Api, schema: dict[str, Any], path: str, question: str) -> None:
    validate(schema, path, api.get(question))


def test_every_code_is_in_the_schema(schema: dict[str, Any]) -> None:
    assert "rate_limited" in json.dumps(schema["components"]["schemas"])
    for path, operations in schema["paths"].items():
        for operation in operations.values():
            assert operation["summary"], path
            assert {"200", "401", "429"} <= set(operation["responses"]), path


def test_the_docs_page_runs_without_inline_script(client: Client) -> None:
    page = client.get("/api/docs/").content.decode()
    assert "swagger-ui" in page
    assert not re.search(r"<script(?![^>]*\ssrc=)[^>]*>\s*\S", page)
    assert "//cdn" not in page
