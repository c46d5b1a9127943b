"""Live top lists: who leads, and what a client hears when that changes."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime.hub import Hub
from realtime.merge_patch import apply
from realtime.outbox import Outbox
from realtime.overview import Overview
from realtime.ranking import FIELDS, Order, Ranking
from realtime.topics import Topics
from swapstats.domain.errors import MessageRefused
from tests.parts.live_feed import WINDOWS, LiveFeed, traded

NAMES = [window.name for window in WINDOWS]


class Board:
    """A client that follows one top list."""

    def __init__(self, feed: LiveFeed, topic: str) -> None:
        self.feed = feed
        self.hub = Hub(feed.view)
        feed.view.subscribe(self.hub.note)
        self.outbox = Outbox(lambda: None)
        self.source = Topics(feed.view, Ranking(feed.view), NAMES).source(topic, None, {})
        self.hub.follow(self.source, self.outbox)
        self.data: dict[str, Any] = {}
        self.take()

    def take(self) -> list[dict[str, Any]]:
        """The patches that it hears."""
        self.hub.flush()
        patches = []
        for frame in map(json.loads, self.outbox.take("now")):
            if frame["type"] == "snapshot":
                self.data = frame["data"]
            for item in frame.get("items", ()):
                self.data = apply(self.data, item["data"])
                patches.append(item)
        return patches


@pytest.fixture
def feed() -> LiveFeed:
    feed = LiveFeed()
    feed.begin({"1:0xa": traded(3), "1:0xb": traded(2), "56:0xc": traded(1)})
    return feed


def test_the_list_has_its_tokens_in_their_order(feed: LiveFeed) -> None:
    board = Board(feed, "overview:5m?limit=2")
    assert (board.data["ranking"], board.data["total"]) == (["1:0xa", "1:0xb"], 3)
    assert board.data["tokens"]["1:0xa"]["windows"]["5m"]["trades"] == 3


def test_a_change_of_one_token_tells_of_that_one_alone(feed: LiveFeed) -> None:
    board = Board(feed, "overview:5m")
    feed.step({"1:0xa": traded(4)})
    (item,) = board.take()
    assert item["data"].keys() == {"as_of", "tokens", "totals"}
    assert item["data"]["tokens"].keys() == {"1:0xa"}
    assert item["data"]["tokens"]["1:0xa"]["windows"]["5m"]["trades"] == 4


def test_moves_entries_and_exits(feed: LiveFeed) -> None:
    board = Board(feed, "overview:5m?limit=2")
    feed.step({"1:0xb": traded(9)})
    (moved,) = board.take()
    assert moved["data"]["ranking"] == ["1:0xb", "1:0xa"]
    feed.step({"56:0xc": traded(5)})
    (entered,) = board.take()
    assert entered["data"]["ranking"] == ["1:0xb", "56:0xc"]
    assert entered["data"]["tokens"]["1:0xa"] is None
    assert entered["data"]["tokens"]["56:0xc"]["token"]["id"] == "56:0xc"


def test_of_what_happens_below_the_list_only_the_totals_are_told(feed: LiveFeed) -> None:
    board = Board(feed, "overview:5m?limit=1")
    feed.step({"1:0xb": traded(2)})
    assert board.take() == []
    feed.step({"56:0xc": traded(1, 1)})
    (item,) = board.take()
    changed = {"volume_usd": "14.000000", "sell_volume_usd": "2.000000", "trades": 7, "sells": 1}
    assert item["data"].keys() == {"as_of", "totals"}
    assert item["data"]["totals"] == dict.fromkeys(NAMES, changed)


def test_all_tokens_together(feed: LiveFeed) -> None:
    board = Board(feed, "overview:5m?limit=1")
    assert (board.data["total"], board.data["chains"]) == (3, {"1": 2, "56": 1})
    assert board.data["totals"]["1h"]["trades"] == 6
    feed.step(gone=["56:0xc"])
    board.take()
    assert (board.data["total"], board.data["chains"], board.data["totals"]["1h"]["buys"]) == (2, {"1": 2}, 5)


def test_a_correction_says_so_and_which_token_it_was(feed: LiveFeed) -> None:
    board = Board(feed, "overview:5m")
    feed.step({"1:0xa": traded(2)}, reorged=["1:0xa"])
    (item,) = board.take()
    assert (item["reason"], item["data"]["tokens"]["1:0xa"]["reorg_seq"]) == ("reorg", feed.seq)
    feed.step({"1:0xa": traded(3)})
    assert "reason" not in board.take()[0]


def test_one_chain_alone(feed: LiveFeed) -> None:
    board = Board(feed, "overview:5m?chain_id=56")
    assert (board.data["ranking"], board.data["total"]) == (["56:0xc"], 1)


@pytest.mark.parametrize("field", FIELDS)
def test_any_numeric_field_of_a_window_can_rank(feed: LiveFeed, field: str) -> None:
    down = Board(feed, f"overview:1h?sort={field}").data["ranking"]
    up = Board(feed, f"overview:1h?order=asc&sort={field}").data["ranking"]
    assert down == up[::-1]


def test_tokens_without_the_value_come_last_either_way() -> None:
    feed = LiveFeed()
    feed.begin({"1:0xa": traded(1, price=3), "1:0xb": traded(0), "1:0xc": traded(1, price=5)})
    ranking = Ranking(feed.view)
    for descending, expected in ((True, ["1:0xc", "1:0xa", "1:0xb"]), (False, ["1:0xa", "1:0xc", "1:0xb"])):
        leaders = ranking.top(Order("5m", "vwap_usd", descending), 10)
        assert [view.token_id for view in leaders.views] == expected


@pytest.mark.parametrize(
    ("topic", "canonical"),
    [
        ("overview:5m", "overview:5m"),
        ("overview:5m?sort=volume_usd&order=desc&limit=10", "overview:5m"),
        ("overview:24h?sort=trades&limit=50", "overview:24h?limit=50&sort=trades"),
        ("overview:1h?chain_id=1&order=asc", "overview:1h?chain_id=1&order=asc"),
    ],
)
def test_equal_lists_have_one_name(feed: LiveFeed, topic: str, canonical: str) -> None:
    assert Topics(feed.view, Ranking(feed.view), NAMES).source(topic, None, {}).topic == canonical


@pytest.mark.parametrize(
    ("topic", "code"),
    [
        ("overview:7m", "bad_window"),
        ("overview:5m?sort=beauty", "bad_parameter"),
        ("overview:5m?order=up", "bad_parameter"),
        ("overview:5m?limit=0", "bad_parameter"),
        ("overview:5m?limit=501", "bad_parameter"),
        ("overview:5m?limit=ten", "bad_parameter"),
        ("overview:5m?chain_id=99999999999999999999", "bad_parameter"),
        ("overview:5m?colour=red", "bad_parameter"),
    ],
)
def test_a_list_that_cannot_be_is_refused(feed: LiveFeed, topic: str, code: str) -> None:
    with pytest.raises(MessageRefused) as refused:
        Topics(feed.view, Ranking(feed.view), NAMES).source(topic, None, {})
    assert refused.value.code == code


steps = st.lists(
    st.dictionaries(st.sampled_from(["1:0xa", "1:0xb", "1:0xc", "1:0xd"]), st.integers(0, 4), min_size=1), max_size=8
)


@given(steps, st.integers(1, 4))
def test_patches_lead_to_what_a_newcomer_is_told(changes: list[dict[str, int]], limit: int) -> None:
    feed = LiveFeed()
    feed.begin({"1:0xa": traded(1)})
    board = Board(feed, f"overview:5m?limit={limit}")
    for change in changes:
        gone = [token_id for token_id, buys in change.items() if not buys]
        feed.step({token_id: traded(buys) for token_id, buys in change.items() if buys}, gone=gone)
        board.take()
    newcomer = Board(feed, f"overview:5m?limit={limit}")
    assert values(board.data) == values(newcomer.data)


def values(data: dict[str, Any]) -> Any:
    tokens = {token_id: row["windows"]["5m"]["trades"] for token_id, row in data["tokens"].items()}
    return data["total"], data["totals"], data["chains"], data["ranking"], tokens


def test_a_row_that_has_not_changed_is_not_made_again(feed: LiveFeed) -> None:
    source = Topics(feed.view, Ranking(feed.view), NAMES).source("overview:5m", None, {})
    assert isinstance(source, Overview)
    before = source.read().content["tokens"]
    feed.step({"1:0xa": traded(4)})
    after = source.read().content["tokens"]
    assert after["1:0xb"] is before["1:0xb"]
    assert after["1:0xa"] is not before["1:0xa"]
