"""What clients may say, and what they are told when they say it wrong."""

import json
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime.protocol import (
    ErrorCode,
    Granted,
    ListSubscriptions,
    Patch,
    Patches,
    Ping,
    Request,
    Subscribe,
    Subscribed,
    Unsubscribe,
    encode,
    parse,
    patch_item,
    patches_frame,
)
from swapstats.domain.errors import MessageRefused


@pytest.mark.parametrize(
    ("text", "request_"),
    [
        ('{"subscribe": "token:USDC"}', Subscribe(["token:USDC"], None, {}, None)),
        (
            '{"subscribe": ["token:1:0xa", "overview:5m"], "windows": ["5m"], "id": 7}',
            Subscribe(["token:1:0xa", "overview:5m"], ["5m"], {}, 7),
        ),
        (
            '{"subscribe": "overview:5m", "sort": "trades", "limit": 20, "id": "a"}',
            Subscribe(["overview:5m"], None, {"sort": "trades", "limit": "20"}, "a"),
        ),
        ('{"subscribe": []}', Subscribe([], None, {}, None)),
        ('{"unsubscribe": "token:USDC"}', Unsubscribe(["token:USDC"], None)),
        ('{"list": true, "id": 1}', ListSubscriptions(1)),
        ('{"ping": 1}', Ping(1, None)),
        ('{"ping": null}', Ping(None, None)),
    ],
)
def test_what_clients_may_say(text: str, request_: object) -> None:
    assert parse(text) == request_


@pytest.mark.parametrize(
    ("text", "id_"),
    [
        ("", None),
        ("nonsense", None),
        ("[]", None),
        ("{}", None),
        ('{"id": 3}', 3),
        ('{"subscribe": 5, "id": 4}', 4),
        ('{"subscribe": [5], "id": "five"}', "five"),
        ('{"subscribe": "a", "unsubscribe": "a", "id": 5}', 5),
        ('{"subscribe": "a", "window": ["5m"], "id": 6}', 6),
        ('{"unsubscribe": "a", "windows": ["5m"], "id": 7}', 7),
        ('{"list": false, "id": 8}', 8),
        ('{"ping": {"deep": []}, "id": 9}', 9),
        ('{"subscribe": "a", "id": [1]}', None),
        ("[" * 100_000, None),
        ('{"ping": NaN}', None),
        ('{"ping": "\ud800"}', None),
    ],
)
def test_what_is_refused_says_which_message_it_was(text: str, id_: int | str | None) -> None:
    with pytest.raises(MessageRefused) as refused:
        parse(text)
    assert (refused.value.code, refused.value.id) == (ErrorCode.BAD_MESSAGE, id_)


@given(st.text(max_size=60))
def test_any_text_is_a_request_or_refused(text: str) -> None:
    with suppress(MessageRefused):
        assert isinstance(parse(text), Request)


def test_answers_begin_with_their_type_and_leave_out_what_is_not_there() -> None:
    assert encode(Subscribed(topics=[Granted("token:1:0xa", "token:A")])) == (
        '{"type":"subscribed","topics":[{"topic":"token:1:0xa","requested":"token:A"}]}'
    )
    assert json.loads(encode(Subscribed(id=7, topics=[])))["id"] == 7


@pytest.mark.parametrize("topic", ["token:1:0xa", 'overview:5m?symbol="\\\n', "token:9:токен"])
@pytest.mark.parametrize("reason", [None, "reorg"])
def test_a_patch_made_of_text_is_as_the_schema_says(topic: str, reason: str | None) -> None:
    text = patches_frame("now", [patch_item(topic, "e1", 3, 5, '{"seq":5}', reason)])
    assert text == encode(Patches("now", [Patch(topic, "e1", 3, 5, {"seq": 5}, reason)]))


def test_a_patches_frame_is_made_of_encoded_patches() -> None:
    assert json.loads(patches_frame("now", ['{"a":1}', '{"b":2}'])) == {
        "type": "patches",
        "ts": "now",
        "items": [{"a": 1}, {"b": 2}],
    }
