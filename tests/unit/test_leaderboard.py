"""Kept top lists are those that ranking everybody anew would give."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime.ranking import FIELDS, Order, Ranking
from tests.parts.live_feed import LiveFeed, traded

TOKENS = [f"{chain}:t{number:03d}" for number in range(120) for chain in (1, 137)]
ORDERS = [
    Order("5m"),
    Order("1h", "trades"),
    Order("5m", "trades", descending=False),
    Order("24h", "vwap_usd", descending=False),
    Order("5m", "volume_usd", chain_id=137),
    Order("5m", "price_change_pct"),
]

change = st.tuples(st.sampled_from(TOKENS), st.integers(0, 9))


def kept_as_new(ranking: Ranking, feed: LiveFeed, order: Order, limit: int) -> bool:
    kept, anew = ranking.top(order, limit), Ranking(feed.view).top(order, 10**9)
    assert (kept.total, kept.totals, kept.chains) == (anew.total, anew.totals, anew.chains)
    return [view.token_id for view in kept.views] == [view.token_id for view in anew.views[:limit]]


@given(st.lists(st.lists(change, max_size=30), max_size=8), st.sampled_from([1, 3, 10, 100]))
def test_whatever_changes(steps: list[list[tuple[str, int]]], limit: int) -> None:
    """A token with no buys leaves; so few values make many ties."""
    feed, ranking = begun()
    for step in steps:
        parts = {token: traded(buys, price=2) for token, buys in step if buys}
        feed.step(parts, gone=[token for token, buys in step if not buys and token not in parts])
        assert all(kept_as_new(ranking, feed, order, limit) for order in ORDERS)


def begun() -> tuple[LiveFeed, Ranking]:
    feed = LiveFeed()
    feed.begin({token: traded(number % 40 + 1, price=number % 7 + 1) for number, token in enumerate(TOKENS)})
    ranking = Ranking(feed.view)
    for order in ORDERS:
        ranking.top(order, 10)
    return feed, ranking


def test_leaders_that_fall_are_replaced_from_outside() -> None:
    feed, ranking = begun()
    rng = random.Random(1)
    for _ in range(40):
        leaders = [view.token_id for view in ranking.top(Order("5m"), 30).views]
        feed.step({token: traded(rng.randint(1, 3), price=1) for token in leaders})
        assert kept_as_new(ranking, feed, Order("5m"), 30)


def test_a_quiet_list_is_not_ranked_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    feed, ranking = begun()
    looked_at: list[str] = []
    field = FIELDS["volume_usd"]
    monkeypatch.setitem(FIELDS, "volume_usd", lambda view, sums: looked_at.append(view.token_id) or field(view, sums))  # type: ignore[index]
    order = Order("1h")
    ranking.top(order, 10)
    assert len(looked_at) == len(TOKENS)
    looked_at.clear()
    feed.step({TOKENS[0]: traded(1)})
    ranking.top(order, 10)
    assert looked_at == [TOKENS[0]]


def test_only_so_many_orders_are_followed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("realtime.ranking.MAX_BOARDS", 3)
    feed, ranking = begun()
    for _ in range(2):
        feed.step({TOKENS[1]: traded(50)})
        assert all(kept_as_new(ranking, feed, order, 5) for order in ORDERS)
    assert len(ranking._boards) == 3
