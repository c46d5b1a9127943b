"""What one client gets to hear, and in which form, however slowly it takes it."""

import json
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from realtime.hub import Hub
from realtime.merge_patch import apply
from realtime.outbox import Outbox
from realtime.sources import TokenStats
from realtime.stats_body import stats_body
from realtime.view import LiveView
from tests.parts.live_feed import LiveFeed, traded

TOKENS = ["1:0xa", "1:0xb", "1:0xc"]
TS = "2026-11-22T08:00:00Z"


class Listener:
    """A client that does what the protocol asks for, and refuses what it forbids."""

    def __init__(self, hub: Hub, view: LiveView, windows: tuple[str, ...] | None = None) -> None:
        self.woken = 0
        self.outbox = Outbox(self._wake)
        self.subscriptions = [hub.follow(TokenStats(view, token_id, windows), self.outbox) for token_id in TOKENS]
        self.data: dict[str, dict[str, Any]] = {}
        self.at: dict[str, tuple[str, int]] = {}
        self.reasons: list[str | None] = []
        self.windows = windows

    def _wake(self) -> None:
        self.woken += 1

    def take(self) -> list[dict[str, Any]]:
        frames = [json.loads(frame) for frame in self.outbox.take(TS)]
        assert sum(frame["type"] == "patches" for frame in frames) <= 1
        for frame in frames:
            if frame["type"] == "snapshot":
                self.data[frame["topic"]], self.at[frame["topic"]] = frame["data"], (frame["epoch"], frame["seq"])
            for item in frame.get("items", ()):
                self._patch(item)
        return frames

    def _patch(self, item: dict[str, Any]) -> None:
        topic = item["topic"]
        assert self.at[topic] == (item["epoch"], item["prev"])
        self.data[topic] = apply(self.data[topic], item["data"])
        self.at[topic] = item["epoch"], item["seq"]
        self.reasons.append(item.get("reason"))


def test_a_snapshot_comes_first_and_then_patches_on_top_of_each_other() -> None:
    feed, hub = LiveFeed(), None
    feed.begin({"1:0xa": traded(1)})
    hub = Hub(feed.view)
    listener = Listener(hub, feed.view)
    assert [frame["type"] for frame in listener.take()] == ["snapshot"] * 3
    for buys in (2, 3):
        feed.step({"1:0xa": traded(buys)})
        hub.note({"1:0xa"})
        hub.flush()
        (frame,) = listener.take()
        assert [item["topic"] for item in frame["items"]] == ["token:1:0xa"]
    assert listener.data["token:1:0xa"]["windows"]["5m"]["trades"] == 3


def test_what_was_not_taken_gives_way_to_what_is_newer() -> None:
    feed = LiveFeed()
    feed.begin({"1:0xa": traded(1)})
    hub = Hub(feed.view)
    listener = Listener(hub, feed.view)
    listener.take()
    first_seq = feed.seq
    dropped = 0
    for buys in range(2, 12):
        feed.step({"1:0xa": traded(buys)})
        hub.note({"1:0xa"})
        dropped += hub.flush()
    (frame,) = listener.take()
    (item,) = frame["items"]
    assert (item["prev"], item["seq"], dropped) == (first_seq, feed.seq, 9)
    assert listener.data["token:1:0xa"]["windows"]["1h"]["buys"] == 11


def test_a_patch_is_encoded_once_for_all_who_are_equally_far() -> None:
    feed = LiveFeed()
    feed.begin({"1:0xa": traded(1)})
    hub = Hub(feed.view)
    swift, other, slow = (Listener(hub, feed.view) for _ in range(3))
    for listener in (swift, other, slow):
        listener.take()
    feed.step({"1:0xa": traded(2)})
    hub.note({"1:0xa"})
    hub.flush()
    swift.take(), other.take()
    feed.step({"1:0xa": traded(3)})
    hub.note({"1:0xa"})
    hub.flush()
    version = swift.subscriptions[0].stream.current
    assert version is not None
    sent = [listener.subscriptions[0].sent for listener in (swift, other, slow)]
    patches = [version.patch_from(earlier) for earlier in sent if earlier]
    assert patches[0] is patches[1]
    assert json.loads(patches[2])["prev"] < json.loads(patches[0])["prev"]


def test_a_snapshot_is_encoded_once_for_all_who_come_between_two_steps() -> None:
    feed = LiveFeed()
    feed.begin({"1:0xa": traded(1)})
    hub = Hub(feed.view)
    first, second = Listener(hub, feed.view), Listener(hub, feed.view)
    streams = [listener.subscriptions[0].stream for listener in (first, second)]
    first.take(), second.take()
    known = streams[1].current
    third = Listener(hub, feed.view)
    assert streams[0] is streams[1] is third.subscriptions[0].stream
    assert streams[0].current is known
    feed.pass_time(100)
    fourth = Listener(hub, feed.view)
    fourth.take()
    assert streams[0].current is not known
    assert fourth.data["token:1:0xa"]["as_of"] == "2025-11-22T08:26:40.100Z"


def test_a_window_that_was_not_chosen_does_not_wake_its_reader() -> None:
    feed = LiveFeed()
    feed.begin({"1:0xa": traded(1)})
    hub = Hub(feed.view)
    listener = Listener(hub, feed.view, ("5m",))
    listener.take()
    first = traded(1)
    feed.step({"1:0xa": first._replace(windows=(*first.windows[:2], traded(9).windows[2]))})
    hub.note({"1:0xa"})
    hub.flush()
    assert listener.take() == []
    feed.step({"1:0xa": traded(9)})
    hub.note({"1:0xa"})
    hub.flush()
    listener.take()
    assert listener.data["token:1:0xa"]["windows"].keys() == {"5m"}


def test_a_correction_says_so_even_when_it_was_passed_over() -> None:
    feed = LiveFeed()
    feed.begin({"1:0xa": traded(5)})
    hub = Hub(feed.view)
    listener = Listener(hub, feed.view)
    listener.take()
    for part, reorged in ((traded(4), ["1:0xa"]), (traded(6), [])):
        feed.step({"1:0xa": part}, reorged=reorged)
        hub.note({"1:0xa"})
        hub.flush()
    listener.take()
    feed.step({"1:0xa": traded(7)})
    hub.note({"1:0xa"})
    hub.flush()
    listener.take()
    assert listener.reasons == ["reorg", None]


def test_continuity_lost_means_a_snapshot() -> None:
    feed = LiveFeed()
    feed.begin({"1:0xa": traded(5)})
    hub = Hub(feed.view)
    listener = Listener(hub, feed.view)
    listener.take()
    feed.begin({"1:0xa": traded(6)}, epoch="e2")
    hub.note({"1:0xa"})
    hub.flush()
    (frame,) = listener.take()
    assert (frame["type"], frame["epoch"], frame["topic"]) == ("snapshot", "e2", "token:1:0xa")


def test_before_the_view_is_loaded_snapshots_wait() -> None:
    feed = LiveFeed()
    hub = Hub(feed.view)
    listener = Listener(hub, feed.view)
    assert listener.take() == []
    feed.begin({"1:0xa": traded(1)})
    assert hub.note({"1:0xa"})
    hub.flush()
    assert [frame["type"] for frame in listener.take()] == ["snapshot"] * 3


def test_who_leaves_hears_nothing_more_and_costs_nothing() -> None:
    feed = LiveFeed()
    feed.begin({"1:0xa": traded(1)})
    hub = Hub(feed.view)
    listener = Listener(hub, feed.view)
    for subscription in listener.subscriptions:
        hub.leave(subscription)
    assert listener.take() == []
    feed.step({"1:0xa": traded(2)})
    assert not hub.note({"1:0xa"}) or hub.flush() == 0
    assert (hub.streams, listener.take()) == (0, [])


class SlowAndSwift(RuleBasedStateMachine):
    """Two clients, each taking when it likes; whatever happens, one that has taken everything knows what HTTP says."""

    @initialize()
    def begin(self) -> None:
        self.feed = LiveFeed()
        self.feed.begin({"1:0xa": traded(1)})
        self.hub = Hub(self.feed.view)
        self.feed.view.subscribe(self.hub.note)
        self.all = Listener(self.hub, self.feed.view)
        self.some = Listener(self.hub, self.feed.view, ("1h",))

    @rule(token_id=st.sampled_from(TOKENS), buys=st.integers(0, 3), sells=st.integers(1, 3), reorg=st.booleans())
    def trade(self, token_id: str, buys: int, sells: int, reorg: bool) -> None:
        self.feed.step({token_id: traded(buys, sells)}, reorged=[token_id] if reorg else [])

    @rule(token_id=st.sampled_from(TOKENS))
    def leave_the_windows(self, token_id: str) -> None:
        self.feed.step(gone=[token_id])

    @rule(ms=st.sampled_from([100, 5_000, 60_000]))
    def time_passes(self, ms: int) -> None:
        self.feed.pass_time(ms)

    @rule(parts=st.dictionaries(st.sampled_from(TOKENS), st.builds(traded, st.integers(1, 3))), fresh=st.booleans())
    def reload(self, parts: dict[str, Any], fresh: bool) -> None:
        self.feed.begin(parts, epoch=f"e{self.feed.seq}" if fresh else self.feed.epoch)

    @rule()
    def flush(self) -> None:
        self.hub.flush()

    @rule(who=st.sampled_from(["all", "some"]))
    def take(self, who: str) -> None:
        getattr(self, who).take()

    @rule(who=st.sampled_from(["all", "some"]))
    def come_anew(self, who: str) -> None:
        old = getattr(self, who)
        for subscription in old.subscriptions:
            self.hub.leave(subscription)
        setattr(self, who, Listener(self.hub, self.feed.view, old.windows))

    @rule()
    def who_takes_everything_knows_everything(self) -> None:
        self.hub.flush()
        for listener in (self.all, self.some):
            listener.take()
            for token_id in TOKENS:
                view = self.feed.view.opening(token_id)
                body = stats_body(view, self.feed.view.symbols.matches(view.symbol), listener.windows)
                assert known(listener.data[f"token:{token_id}"]) == known(body)
                assert listener.at[f"token:{token_id}"][0] == view.epoch


def known(body: dict[str, Any]) -> dict[str, Any]:
    """The values of a body, without what a token that does not change may keep: times and versions, and how many
    other tokens carry its symbol."""
    body = {name: value for name, value in body.items() if value is not None and name not in ("as_of", "seq")}
    body["token"] = {
        name: value for name, value in body["token"].items() if value is not None and name != "symbol_matches"
    }
    body["windows"] = {
        name: {field: value for field, value in window.items() if field not in ("from", "to") and value is not None}
        for name, window in body["windows"].items()
    }
    return body


TestSlowAndSwift = SlowAndSwift.TestCase
