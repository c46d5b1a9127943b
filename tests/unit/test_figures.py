"""What is told of a token is the difference between what the API says before and after."""

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from realtime import figures
from realtime.merge_patch import diff_stats
from realtime.stats_body import stats_body
from realtime.token_view import TokenView
from swapstats.domain.stats import Edge, Part, WindowPart
from tests.parts.live_feed import START_MS, WINDOWS

few = st.sampled_from([0, 1, 10**6, 3 * 10**18])
edges = st.none() | st.builds(Edge, st.just(START_MS), st.just(5_000), few, few)
sums = st.builds(WindowPart, few, few, few, st.integers(0, 2), st.integers(0, 2), edges)
parts = st.builds(
    Part,
    st.sampled_from([None, "A", "B"]),
    st.sampled_from([0, START_MS, START_MS + 5]),
    edges,
    st.tuples(*[sums] * len(WINDOWS)),
)
views = st.builds(
    TokenView,
    token_id=st.just("1:0xa"),
    symbol=st.sampled_from([None, "A"]),
    as_of_ms=st.integers(START_MS, START_MS + 90_000),
    epoch=st.just("e"),
    seq=st.integers(1, 9),
    part=parts,
    complete_since_ms=st.sampled_from([0, START_MS - 100_000, START_MS]),
    reorg_seq=st.just(0),
    windows=st.just(WINDOWS),
    known=st.just(True),
)
choices = st.sampled_from([None, ("5m",), ("5m", "24h")])


@given(views, views, st.integers(0, 2), st.integers(0, 2), choices)
def test_the_patch_is_the_difference_of_the_bodies(
    old: TokenView, new: TokenView, matched: int, matches: int, names: Any
) -> None:
    patch = figures.patch(figures.figures(old, matched, names), figures.figures(new, matches, names))
    difference = diff_stats(stats_body(old, matched, names), stats_body(new, matches, names))
    assert (json.loads(patch) if patch else {}) == difference


@given(views, choices)
def test_the_body_is_the_answer_of_the_api(view: TokenView, names: Any) -> None:
    assert figures.body(figures.figures(view, 1, names)) == stats_body(view, 1, names)
