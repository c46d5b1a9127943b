"""The list of tokens, and that answers are as the schema says."""

import json
import re
from collections.abc import Sequence
from typing import Any

import jsonschema
import pytest
from django.http import HttpResponse
from django.test import Client

from api.pagination import FrozenOrders
from swapstats.domain.errors import StoreUnavailable
from swapstats.ports.order_store import Place
from tests.parts.api_site import ODD, OTHER_USDC, SOLANA, USDC, WETH, Api, Shelf, api_over, problem, trade
from tests.parts.live_feed import LiveFeed, traded


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch) -> Api:
    feed = LiveFeed()
    trade(feed)
    return api_over(feed, monkeypatch)


# The list of tokens


def walk(api: Api, query: str, between: Any = lambda: None, cursor: str = "") -> list[str]:
    ids = []
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


class SharedShelf(Shelf):
    """What one process keeps, another finds."""

    def __init__(self) -> None:
        self.kept: list[Sequence[Place]] = []

    def keep(self, places: Sequence[Place]) -> str | None:
        self.kept.append(places)
        return str(len(self.kept) - 1)

    def find(self, name: str) -> Sequence[Place] | None:
        return self.kept[int(name)]


class AwayShelf(Shelf):
    def keep(self, places: Sequence[Place]) -> str | None:
        raise StoreUnavailable("away")

    def find(self, name: str) -> Sequence[Place] | None:
        raise StoreUnavailable("away")


@pytest.mark.parametrize("sort", ["volume_usd", "trades", "price_change_pct", "last_event_at"])
@pytest.mark.parametrize("order", ["asc", "desc"])
def test_pages_of_several_processes_are_one_list(
    api: Api, monkeypatch: pytest.MonkeyPatch, sort: str, order: str
) -> None:
    """Each page comes from a process that has seen nothing of the ones before."""
    shelf, moves = SharedShelf(), iter(range(10, 100))

    def another_process() -> None:
        api.feed.step({ODD: traded(next(moves)), WETH: traded(1)})
        monkeypatch.setattr("api.views.token_list._frozen", FrozenOrders(lambda: shelf))

    another_process()
    question = f"sort={sort}&order={order}"
    before = [item["token"]["id"] for item in api.json(f"/api/tokens?{question}")["items"]]
    assert walk(api, f"{question}&limit=1", another_process) == before
    assert len(shelf.kept) == 1


@pytest.mark.parametrize("shelf", [Shelf, AwayShelf])
@pytest.mark.parametrize("order", ["asc", "desc"])
@pytest.mark.parametrize("moves_to", [1, 50])
def test_without_a_kept_order_what_did_not_move_is_neither_missed_nor_repeated(
    api: Api, monkeypatch: pytest.MonkeyPatch, shelf: type[Shelf], order: str, moves_to: int
) -> None:
    """The last token of the first page moves to the other end; the page behind it begins where it was."""
    question = f"/api/tokens?sort=trades&order={order}&limit=2"
    monkeypatch.setattr("api.views.token_list._frozen", FrozenOrders(shelf))
    everything = walk(api, f"sort=trades&order={order}&limit=5")
    first = api.json(question)
    last_id = first["items"][-1]["token"]["id"]
    api.feed.step({last_id: traded(moves_to)})
    monkeypatch.setattr("api.views.token_list._frozen", FrozenOrders(shelf))
    rest = walk(api, f"sort=trades&order={order}&limit=2", cursor=first["next_cursor"])
    assert [token for token in rest if token != last_id] == [token for token in everything[2:] if token != last_id]


def test_tokens_without_a_value_come_last_and_once(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    api.feed.step({"1:0x01": traded(0), "1:0x02": traded(0), "9:0x03": traded(0)})
    api.feed.pass_time(10)

    def another_process() -> None:
        monkeypatch.setattr("api.views.token_list._frozen", FrozenOrders(Shelf))

    for order in ("asc", "desc"):
        question = f"sort=vwap_usd&order={order}"
        before = [item["token"]["id"] for item in api.json(f"/api/tokens?{question}")["items"]]
        assert walk(api, f"{question}&limit=1", another_process) == before
        assert before[-3:] == ["1:0x01", "1:0x02", "9:0x03"]


def test_whoever_asks_the_same_at_once_shares_an_order(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    shelf = SharedShelf()
    monkeypatch.setattr("api.views.token_list._frozen", FrozenOrders(lambda: shelf))
    for _ in range(20):
        api.json("/api/tokens?sort=trades&limit=2")
    assert len(shelf.kept) == 1
    api.json("/api/tokens?sort=trades&limit=5")
    assert len(shelf.kept) == 1


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
