"""RFC 7386, and the differences that the WebSocket sends."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime.merge_patch import apply, diff, diff_stats

RFC_7386_APPENDIX_A = [
    ('{"a":"b"}', '{"a":"c"}', '{"a":"c"}'),
    ('{"a":"b"}', '{"b":"c"}', '{"a":"b","b":"c"}'),
    ('{"a":"b"}', '{"a":null}', "{}"),
    ('{"a":"b","b":"c"}', '{"a":null}', '{"b":"c"}'),
    ('{"a":["b"]}', '{"a":"c"}', '{"a":"c"}'),
    ('{"a":"c"}', '{"a":["b"]}', '{"a":["b"]}'),
    ('{"a":{"b":"c"}}', '{"a":{"b":"d","c":null}}', '{"a":{"b":"d"}}'),
    ('{"a":[{"b":"c"}]}', '{"a":[1]}', '{"a":[1]}'),
    ('["a","b"]', '["c","d"]', '["c","d"]'),
    ('{"a":"b"}', '["c"]', '["c"]'),
    ('{"a":"foo"}', "null", "null"),
    ('{"a":"foo"}', '"bar"', '"bar"'),
    ('{"e":null}', '{"a":1}', '{"e":null,"a":1}'),
    ("[1,2]", '{"a":"b","c":null}', '{"a":"b"}'),
    ("{}", '{"a":{"bb":{"ccc":null}}}', '{"a":{"bb":{}}}'),
]

values = st.recursive(
    st.sampled_from([None, "x", "y", 2, 3]) | st.lists(st.integers(2, 9), max_size=2),
    lambda inner: st.dictionaries(st.sampled_from("abcd"), inner, max_size=4),
    max_leaves=12,
)
objects = st.dictionaries(st.sampled_from("abcd"), values, max_size=4)


@pytest.mark.parametrize(("target", "patch", "result"), RFC_7386_APPENDIX_A)
def test_apply_does_what_the_rfc_shows(target: str, patch: str, result: str) -> None:
    assert apply(json.loads(target), json.loads(patch)) == json.loads(result)


@given(objects, objects)
def test_a_difference_leads_from_the_old_to_the_new(old: dict[str, Any], new: dict[str, Any]) -> None:
    assert without_nulls(apply(old, diff(old, new))) == without_nulls(new)


@given(objects)
def test_nothing_differs_from_itself(value: dict[str, Any]) -> None:
    assert diff(value, value) == {}


fields = st.fixed_dictionaries(
    {
        "volume_usd": st.sampled_from(["0.000000", "1.500000", "2.000000"]),
        "trades": st.integers(0, 3),
        "vwap_usd": st.sampled_from([None, "1.00", "2.00"]),
    }
)


@st.composite
def bodies(draw: st.DrawFn, seq: int) -> dict[str, Any]:
    edges = {"from": f"from {seq}", "to": f"to {seq}"}
    return {
        "token": {"id": "1:0xa", "symbol": draw(st.sampled_from([None, "A", "B"]))},
        "as_of": f"as of {seq}",
        "price_usd": draw(st.sampled_from([None, "1.00"])),
        "epoch": "e",
        "seq": seq,
        "windows": {name: edges | draw(fields) for name in ("5m", "1h")},
    }


@given(st.lists(st.integers(), min_size=2, max_size=6), st.data())
def test_a_chain_of_patches_leads_to_the_newest_body(steps: list[int], data: st.DataObject) -> None:
    first, *rest = [data.draw(bodies(seq)) for seq in range(len(steps))]
    held, last_sent = first, first
    for body in rest:
        if patch := diff_stats(last_sent, body):
            held, last_sent = apply(held, patch), body
    assert without_nulls(without_edges(held)) == without_nulls(without_edges(last_sent))
    assert values_of(held) == values_of(rest[-1])


@given(bodies(1), bodies(2))
def test_only_windows_that_changed_are_sent_and_those_with_their_edges(
    old: dict[str, Any], new: dict[str, Any]
) -> None:
    changed = diff_stats(old, new).get("windows", {})
    for name in ("5m", "1h"):
        same = without_edges(old)["windows"][name] == without_edges(new)["windows"][name]
        assert (name not in changed) == same
        assert same or changed[name].items() >= {"from": "from 2", "to": "to 2"}.items()


def test_a_price_that_is_gone_is_removed() -> None:
    old = {"as_of": "1", "seq": 1, "price_usd": "1.00", "windows": {}}
    assert diff_stats(old, old | {"as_of": "2", "seq": 2, "price_usd": None}) == {
        "as_of": "2",
        "seq": 2,
        "price_usd": None,
    }


def without_nulls(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    return {name: without_nulls(inner) for name, inner in value.items() if inner is not None}


def without_edges(body: dict[str, Any]) -> dict[str, Any]:
    windows = {
        name: {field: value for field, value in window.items() if field not in ("from", "to")}
        for name, window in body["windows"].items()
    }
    return body | {"windows": windows}


def values_of(body: dict[str, Any]) -> Any:
    """All that is not a time or a version."""
    rest = {name: value for name, value in without_edges(body).items() if name not in ("as_of", "seq")}
    return without_nulls(rest)
