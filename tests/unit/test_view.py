"""The live view: steps, gaps, merging across partitions at a bucket's edge, symbols.

bucket        |----- k -----|---- k+1 ----|---- k+2 ----|
partition 0     s1   s2   s3  s4
partition 1     s1   s2                                     a shared token is merged at k: s3 of 0 with s2 of 1
"""

import pytest

from realtime.token_view import TokenView
from realtime.view import LiveView
from swapstats.domain.errors import ViewNotReady
from swapstats.domain.stats import EMPTY_WINDOW, Part, merge_parts
from swapstats.ports.live_store import describe_windows
from tests.parts.live_feed import START_MS, WINDOWS, LiveFeed, traded
from tests.parts.live_partitions import BUCKET_MS, EDGE_MS, Partitions

A, B, C = "1:0xaa", "1:0xbb", "1:0xcc"
ZERO = Part(None, 0, None, (EMPTY_WINDOW,) * len(WINDOWS))


def test_nothing_can_be_asked_before_the_first_load() -> None:
    view = LiveView()
    with pytest.raises(ViewNotReady):
        view.token(A)
    with pytest.raises(ViewNotReady):
        view.opening(A)
    assert view.lag_ms(START_MS) is None


def test_without_any_partition_tokens_are_unknown() -> None:
    view = LiveView()
    view.replace_all("", {})
    assert view.token(A) is None
    with pytest.raises(ViewNotReady, match="no worker"):
        view.opening(A)


def test_a_token_shows_its_part() -> None:
    feed = LiveFeed()
    feed.begin({A: traded(3)})
    view = feed.view.token(A)
    assert (view.part, view.epoch, view.seq, view.as_of_ms) == (traded(3), "e1", 1, START_MS)
    assert view.windows == WINDOWS
    assert feed.view.token(B) is None


def test_steps_move_seq_and_value() -> None:
    feed = LiveFeed()
    feed.begin({A: traded(3)})
    feed.step({A: traded(4)})
    view = feed.view.token(A)
    assert (view.part, view.seq, view.as_of_ms) == (traded(4), 2, START_MS + 100)


def test_time_passes_without_any_change() -> None:
    feed = LiveFeed()
    feed.begin({A: traded(3)})
    before = feed.view.token(A)
    feed.pass_time(7_000)
    assert feed.view.token(A) == before._replace(as_of_ms=START_MS + 7_000)
    assert feed.view.lag_ms(START_MS + 7_500) == 500


def test_only_a_change_of_the_token_moves_its_seq() -> None:
    feed = LiveFeed()
    feed.begin({A: traded(3), B: traded(1)})
    feed.step({B: traded(2)})
    assert (feed.view.token(A).seq, feed.view.token(B).seq) == (1, 2)


def test_a_missed_step_is_a_gap_until_the_partition_was_loaded() -> None:
    partitions = Partitions(2)
    partitions.tell(0, 0, {A: traded(1)})
    partitions.step(0, 100, {A: traded(2)})
    assert partitions.tell(0, 200, {B: traded(1)}) == [0]
    assert partitions.tell(0, 250) == [0]
    assert (partitions.buys(A), partitions.buys(B)) == (1, None)
    partitions.view.replace(0, partitions.stored(0))
    assert (partitions.buys(A), partitions.buys(B)) == (2, 1)
    assert partitions.tell(0, 300, {A: traded(3)}) == []


def test_steps_that_are_contained_already_change_nothing() -> None:
    partitions = Partitions(1)
    first, second = partitions.step(0, 0, {A: traded(1)}), partitions.step(0, 100, {A: traded(2)})
    partitions.view.replace(0, partitions.stored(0))
    assert partitions.view.apply([first, second]) == []
    assert partitions.buys(A) == 2
    assert partitions.view.metas()[0].as_of_ms == EDGE_MS + 100


def test_a_load_older_than_what_is_held_is_ignored() -> None:
    partitions = Partitions(1)
    old = partitions.stored(0)
    partitions.tell(0, 0, {A: traded(1)})
    partitions.view.replace(0, old)
    assert partitions.buys(A) == 1


def test_an_unknown_partition_is_a_gap() -> None:
    partitions = Partitions(2)
    del partitions.view._partitions[1]
    assert partitions.tell(1, 0, {A: traded(1)}) == [1]


def test_a_step_of_another_live_epoch_is_a_gap() -> None:
    partitions = Partitions(1)
    partitions.metas[0] = partitions.metas[0]._replace(live_epoch="other")
    assert partitions.tell(0, 0, {A: traded(1)}) == [0]


def test_a_whole_step_needs_nothing_before_it() -> None:
    partitions = Partitions(1)
    partitions.tell(0, 0, {A: traded(1), B: traded(1)})
    partitions.step(0, 100, {A: traded(2)})
    whole = partitions.step(0, 200, {C: traded(3)})._replace(whole=True)
    assert partitions.view.apply([whole]) == []
    assert [partitions.buys(token) for token in (A, B, C)] == [None, None, 3]
    renewed = whole._replace(meta=whole.meta._replace(live_epoch="renewed", seq=1))
    assert partitions.view.apply([renewed]) == []
    assert partitions.view.token(C).epoch == "renewed"


def test_another_log_replaces_everything() -> None:
    feed = LiveFeed()
    feed.begin({A: traded(3)})
    changed: list[frozenset[str]] = []
    feed.view.subscribe(changed.append)
    feed.view.replace_all("other", {})
    assert feed.view.token(A) is None
    assert feed.view.source == "other"
    assert changed == [{A}]


# Several partitions


def test_a_token_is_the_sum_of_its_parts() -> None:
    partitions = Partitions(3)
    for number in range(3):
        partitions.tell(number, 100 + number, {A: traded(number + 1)})
    view = partitions.view.token(A)
    assert view.part == merge_parts([traded(1), traded(2), traded(3)])
    assert (view.seq, view.as_of_ms) == (3, EDGE_MS + 100)


def test_parts_are_not_added_across_a_buckets_edge() -> None:
    partitions = Partitions(2)
    partitions.tell(0, 100, {A: traded(10)})
    partitions.tell(1, 100, {A: traded(20)})
    partitions.tell(0, BUCKET_MS, {A: traded(1)})
    assert partitions.buys(A) == 30
    assert partitions.view.token(A).as_of_ms == EDGE_MS + 100
    partitions.tell(1, BUCKET_MS + 50)
    assert partitions.buys(A) == 21
    assert partitions.view.token(A).as_of_ms == EDGE_MS + BUCKET_MS


def test_the_older_side_of_the_edge_is_known_even_if_nobody_asked_before() -> None:
    partitions = Partitions(2)
    partitions.tell(0, 100, {A: traded(10)})
    partitions.tell(1, 100, {A: traded(20)})
    partitions.tell(0, BUCKET_MS, {A: traded(1), B: traded(5)}, gone=[C])
    assert (partitions.buys(A), partitions.buys(B)) == (30, 5)


def test_a_token_that_is_new_beyond_the_edge_counts_when_all_are_there() -> None:
    partitions = Partitions(2)
    partitions.tell(0, 100, {A: traded(10)})
    partitions.tell(1, BUCKET_MS, {A: traded(1)})
    assert partitions.buys(A) == 10
    partitions.tell(0, BUCKET_MS)
    assert partitions.buys(A) == 11


def test_a_token_that_is_gone_beyond_the_edge_still_counts_before_it() -> None:
    partitions = Partitions(2)
    partitions.tell(0, 100, {A: traded(10)})
    partitions.tell(1, 100, {A: traded(1)})
    partitions.tell(1, BUCKET_MS, gone=[A])
    assert partitions.buys(A) == 11
    partitions.tell(0, BUCKET_MS)
    assert partitions.buys(A) == 10


def test_a_partition_left_behind_holds_back_only_what_it_shares() -> None:
    partitions = Partitions(2)
    partitions.tell(0, 100, {A: traded(10), B: traded(10), C: traded(10)})
    partitions.tell(1, 100, {A: traded(1), C: traded(1)})
    for bucket in range(1, 5):
        partitions.tell(0, bucket * BUCKET_MS, {A: traded(20 + bucket), B: traded(20 + bucket)})
    assert (partitions.buys(A), partitions.buys(B), partitions.buys(C)) == (11, 24, 11)
    partitions.tell(1, 4 * BUCKET_MS)
    assert (partitions.buys(A), partitions.buys(C)) == (25, 11)


def test_what_cannot_be_merged_exactly_is_not_answered() -> None:
    """A web process that starts while a partition lags has never seen the others at that time."""
    partitions = Partitions(2)
    partitions.step(0, 3 * BUCKET_MS, {A: traded(10), B: traded(3)})
    partitions.step(1, 100, {A: traded(1)})
    partitions.view.replace_all("log", {0: partitions.stored(0), 1: partitions.stored(1)})
    with pytest.raises(ViewNotReady, match="lags"):
        partitions.view.token(A)
    assert partitions.buys(B) == 3
    partitions.tell(1, 3 * BUCKET_MS)
    assert partitions.buys(A) == 11


def test_watchers_hear_of_what_was_held_back() -> None:
    partitions = Partitions(2)
    partitions.tell(0, 100, {A: traded(10)})
    partitions.tell(1, 100, {A: traded(1)})
    heard: list[frozenset[str]] = []
    partitions.view.subscribe(heard.append)
    partitions.tell(0, BUCKET_MS, {A: traded(11)})
    partitions.tell(1, BUCKET_MS)
    assert heard == [{A}, {A}]
    assert partitions.buys(A) == 12


def test_the_epoch_tells_the_contributors() -> None:
    partitions = Partitions(3)
    partitions.tell(0, 100, {A: traded(1), B: traded(1)})
    alone = partitions.view.token(A).epoch
    assert alone == "e0"
    partitions.tell(1, 100, {A: traded(1)})
    together = partitions.view.token(A).epoch
    assert together not in ("e0", "e1")
    assert partitions.view.token(B).epoch == "e0"
    partitions.tell(2, 100, {A: traded(1)})
    assert partitions.view.token(A).epoch not in (alone, together)


def test_workers_with_different_windows_are_not_mixed() -> None:
    partitions = Partitions(2)
    partitions.tell(0, 100, {A: traded(1)})
    partitions.tell(1, 100, {A: traded(2), B: traded(2)})
    assert partitions.buys(A) == 3
    partitions.metas[1] = partitions.metas[1]._replace(windows=describe_windows(WINDOWS[:2]))
    assert partitions.tell(1, 200) == [1]
    short = {token: (seq, Part(None, 1, None, part.windows[:2])) for token, (seq, part) in partitions.parts[1].items()}
    partitions.parts[1] = short
    partitions.view.replace(1, partitions.stored(1))
    assert partitions.buys(A) == 3
    assert partitions.view.token(B).windows == WINDOWS[:2]


# Watching


def test_a_listener_hears_what_changed_until_it_leaves() -> None:
    feed = LiveFeed()
    feed.begin({A: traded(1), B: traded(1)})
    heard: list[frozenset[str]] = []
    leave = feed.view.subscribe(heard.append)
    feed.step({A: traded(2)}, gone=[B])
    feed.pass_time(100)
    leave()
    feed.step({A: traded(3)})
    assert heard == [{A, B}]


def test_a_listener_that_fails_does_not_stop_the_others() -> None:
    feed = LiveFeed()
    feed.begin()
    heard: list[frozenset[str]] = []

    def fail(_: frozenset[str]) -> None:
        raise RuntimeError("listener")

    feed.view.subscribe(fail)
    feed.view.subscribe(heard.append)
    feed.step({A: traded(1)})
    assert heard == [{A}]


def test_an_unknown_token_opens_with_zeros() -> None:
    feed = LiveFeed()
    feed.begin({A: traded(1)})
    assert feed.view.opening(B) == TokenView(B, None, START_MS, "", 0, ZERO, 0, 0, WINDOWS, known=False)


def test_a_watched_token_keeps_its_line_when_its_last_swap_leaves() -> None:
    feed = LiveFeed()
    feed.begin({A: traded(1)})
    feed.view.watch(A)
    feed.step(gone=[A], reorged=[A])
    view = feed.view.opening(A)
    assert (view.epoch, view.seq, view.reorg_seq, view.symbol) == ("e1", 2, 2, "USDC")
    assert view.part.windows == ZERO.windows
    assert feed.view.token(A) is None
    feed.pass_time(3 * BUCKET_MS)
    assert feed.view.opening(A).seq == 2
    feed.step({A: traded(1)})
    assert (feed.view.token(A).epoch, feed.view.token(A).seq) == ("e1", 3)


def test_an_unwatched_token_that_is_gone_is_forgotten() -> None:
    feed = LiveFeed()
    feed.begin({A: traded(1), B: traded(1)})
    feed.view.watch(B)
    feed.step(gone=[A, B])
    feed.pass_time(BUCKET_MS)
    feed.pass_time(BUCKET_MS)
    assert feed.view.token_ids() == [B]
    feed.view.unwatch(B)
    feed.pass_time(BUCKET_MS)
    assert feed.view.token_ids() == []


def test_corrections_by_retraction_are_told() -> None:
    feed = LiveFeed()
    feed.begin({A: traded(2)})
    assert feed.view.token(A).reorg_seq == 0
    feed.step({A: traded(1)}, reorged=[A])
    assert feed.view.token(A).reorg_seq == 2
    feed.step({A: traded(2)})
    assert feed.view.token(A).reorg_seq == 2


# Symbols


def test_a_symbol_means_the_token_with_the_most_volume() -> None:
    feed = LiveFeed()
    feed.begin({A: traded(1, symbol="USDC"), B: traded(5, symbol="usdc"), C: traded(9, symbol="WETH")})
    symbols = feed.view.symbols
    assert symbols.resolve("UsDc").token_id == B
    assert (symbols.matches("USDC"), symbols.matches("weth"), symbols.matches("nope"), symbols.matches(None)) == (
        2,
        1,
        0,
        0,
    )
    assert symbols.resolve("nope") is None
    feed.step({A: traded(6, symbol="USDC")})
    assert symbols.resolve("usdc").token_id == A


def test_symbols_follow_their_tokens() -> None:
    feed = LiveFeed()
    feed.begin({A: traded(1, symbol=None), B: traded(1, symbol="OLD")})
    symbols = feed.view.symbols
    assert symbols.resolve("old").token_id == B
    feed.step({A: traded(1, symbol="NEW"), B: traded(1, symbol="NEWER")})
    assert (symbols.resolve("new").token_id, symbols.resolve("newer").token_id) == (A, B)
    assert symbols.matches("old") == 0
    feed.step(gone=[A])
    assert symbols.resolve("new") is None
    assert symbols.matches("new") == 0
