"""What a client may ask for, message by message, and what it is answered."""

import json
from typing import Any

import pytest

from realtime.hub import Hub
from realtime.outbox import Outbox
from realtime.protocol import Limits
from realtime.ranking import Ranking
from realtime.session import Desk, Session
from realtime.topics import Topics
from tests.parts.live_feed import START_MS, WINDOWS, LiveFeed, traded

USDC, WETH = "1:0xa0b8", "1:0xc02a"


class Talk:
    """A client, its session, and the view behind it."""

    def __init__(self, max_subscriptions: int = 3, *, loaded: bool = True) -> None:
        self.feed = LiveFeed()
        if loaded:
            self.feed.begin({USDC: traded(5), WETH: traded(1, symbol="WETH")})
        self.hub = Hub(self.feed.view)
        windows = [window.name for window in WINDOWS]
        limits = Limits(5, max_subscriptions, 1_000)
        self.now_ms = START_MS + 250
        desk = Desk(
            self.feed.view,
            self.hub,
            Topics(self.feed.view, Ranking(self.feed.view), windows),
            limits,
            100,
            lambda: self.now_ms,
        )
        self.outbox = Outbox(lambda: None)
        self.session = Session(desk, self.outbox)

    def say(self, **message: Any) -> list[dict[str, Any]]:
        return self.say_text(json.dumps(message))

    def say_text(self, text: str) -> list[dict[str, Any]]:
        self.session.answer(text)
        return self.hear()

    def hear(self) -> list[dict[str, Any]]:
        return [json.loads(frame) for frame in self.outbox.take("now")]


@pytest.fixture
def talk() -> Talk:
    return Talk()


def test_the_first_word_tells_the_limits(talk: Talk) -> None:
    talk.session.open()
    assert talk.hear() == [
        {
            "type": "welcome",
            "coalesce_ms": 100,
            "limits": {"max_conn": 5, "max_subscriptions": 3, "max_message_bytes": 1000},
            "windows": ["5m", "1h", "24h"],
            "protocol": 1,
        }
    ]


def test_a_symbol_stands_for_its_token(talk: Talk) -> None:
    subscribed, snapshot = talk.say(subscribe="token:usdc", id=7)
    topic = f"token:{USDC}"
    assert subscribed == {"type": "subscribed", "id": 7, "topics": [{"topic": topic, "requested": "token:usdc"}]}
    assert (snapshot["type"], snapshot["topic"], snapshot["data"]["token"]["symbol"]) == ("snapshot", topic, "USDC")
    assert (snapshot["epoch"], snapshot["seq"]) == (snapshot["data"]["epoch"], snapshot["data"]["seq"])


def test_an_address_may_be_written_in_any_case(talk: Talk) -> None:
    subscribed, _ = talk.say(subscribe="token:1:0XA0B8")
    assert subscribed["topics"] == [{"topic": f"token:{USDC}", "requested": "token:1:0XA0B8"}]


def test_an_unknown_token_has_zeros_until_its_first_swap(talk: Talk) -> None:
    _, snapshot = talk.say(subscribe="token:56:0xnew")
    assert [window["trades"] for window in snapshot["data"]["windows"].values()] == [0, 0, 0]
    talk.feed.step({"56:0xnew": traded(1)})
    talk.hub.note({"56:0xnew"})
    talk.hub.flush()
    (first,) = talk.hear()
    assert first["data"]["windows"]["5m"]["trades"] == 1


@pytest.mark.parametrize(
    ("topic", "code"),
    [
        ("token:NOSUCH", "unknown_symbol"),
        ("token:" + "x" * 900, "unknown_symbol"),
        ("token:", "unknown_topic"),
        ("tokens:USDC", "unknown_topic"),
        ("USDC", "unknown_topic"),
        ("", "unknown_topic"),
        ("nothing:5m", "unknown_topic"),
    ],
)
def test_one_bad_topic_fails_only_itself(talk: Talk, topic: str, code: str) -> None:
    subscribed, error, snapshot = talk.say(subscribe=[topic, "token:WETH"], id=9)
    assert [entry["topic"] for entry in subscribed["topics"]] == [f"token:{WETH}"]
    assert (error["type"], error["id"], error["code"], error["topic"]) == ("error", 9, code, topic)
    assert snapshot["topic"] == f"token:{WETH}"


def test_a_topic_alone_that_fails_is_answered_by_its_error_alone(talk: Talk) -> None:
    assert [frame["type"] for frame in talk.say(subscribe="token:NOSUCH")] == ["error"]


def test_the_limit_refuses_what_is_above_it_and_nothing_else() -> None:
    talk = Talk(max_subscriptions=2)
    frames = talk.say(subscribe=["token:1:0x1", "token:1:0x2", "token:1:0x3"])
    assert [frame["type"] for frame in frames] == ["subscribed", "error", "snapshot", "snapshot"]
    assert (frames[1]["code"], frames[1]["topic"]) == ("too_many_subscriptions", "token:1:0x3")
    assert talk.say(subscribe="token:1:0x2")[0]["type"] == "subscribed"
    talk.say(unsubscribe="token:1:0x1")
    assert talk.say(subscribe="token:1:0x3")[0]["type"] == "subscribed"


def test_a_message_that_names_far_too_many_topics_is_refused_whole() -> None:
    talk = Talk(max_subscriptions=2)
    (error,) = talk.say(subscribe=[f"token:1:0x{n}" for n in range(5)], id=1)
    assert (error["code"], error["id"], talk.hub.streams) == ("too_many_subscriptions", 1, 0)


def test_windows_can_be_chosen_and_chosen_again(talk: Talk) -> None:
    subscribed, snapshot = talk.say(subscribe="token:USDC", windows=["1h", "5m"])
    assert (subscribed["topics"][0]["windows"], list(snapshot["data"]["windows"])) == (["5m", "1h"], ["5m", "1h"])
    _, snapshot = talk.say(subscribe="token:USDC", windows=["24h"])
    assert (list(snapshot["data"]["windows"]), talk.hub.streams) == (["24h"], 1)


@pytest.mark.parametrize("windows", [[], ["7m"], ["5m", "7m"]])
def test_windows_that_are_not_configured_are_refused(talk: Talk, windows: list[str]) -> None:
    (error,) = talk.say(subscribe="token:USDC", windows=windows)
    assert error["code"] == "bad_window"


def test_subscribing_again_gives_a_fresh_snapshot(talk: Talk) -> None:
    talk.say(subscribe="token:USDC")
    talk.feed.step({USDC: traded(6)})
    _, snapshot = talk.say(subscribe="token:USDC")
    assert (snapshot["seq"], snapshot["data"]["windows"]["1h"]["buys"]) == (talk.feed.seq, 6)


@pytest.mark.parametrize("name", ["token:USDC", f"token:{USDC}", "token:usdc", f"token:{USDC.upper()}"])
def test_a_topic_can_be_left_by_any_of_its_names(talk: Talk, name: str) -> None:
    talk.say(subscribe="token:USDC")
    (answer,) = talk.say(unsubscribe=name, id=2)
    assert answer == {"type": "unsubscribed", "id": 2, "topics": [{"topic": f"token:{USDC}", "requested": name}]}
    assert talk.hub.streams == 0


def test_what_is_not_followed_cannot_be_left(talk: Talk) -> None:
    (error,) = talk.say(unsubscribe="token:USDC", id=3)
    assert (error["code"], error["id"], error["topic"]) == ("not_subscribed", 3, "token:USDC")


def test_a_client_can_ask_what_it_follows(talk: Talk) -> None:
    talk.say(subscribe=["token:USDC"], windows=["5m"])
    assert talk.say(list=True, id="x") == [
        {
            "type": "subscriptions",
            "id": "x",
            "topics": [{"topic": f"token:{USDC}", "requested": "token:USDC", "windows": ["5m"]}],
        }
    ]


def test_a_ping_tells_the_time_and_how_fresh_the_view_is(talk: Talk) -> None:
    (pong,) = talk.say(ping=1)
    assert pong == {"type": "pong", "ping": 1, "ts": "2025-11-22T08:26:40.250Z", "lag_ms": 250}


def test_before_the_view_is_loaded_symbols_are_not_known() -> None:
    talk = Talk(loaded=False)
    (error,) = talk.say(subscribe="token:USDC")
    assert error["code"] == "not_ready"
    assert [frame["type"] for frame in talk.say(subscribe=f"token:{USDC}")] == ["subscribed"]


def test_nonsense_is_answered_and_forgotten(talk: Talk) -> None:
    (error,) = talk.say_text("nonsense")
    assert (error["type"], error["code"]) == ("error", "bad_message")
    assert talk.say(ping=2)[0]["type"] == "pong"


def test_a_closed_session_follows_nothing(talk: Talk) -> None:
    talk.say(subscribe=["token:USDC", "token:WETH"])
    talk.session.close()
    assert talk.hub.streams == 0
