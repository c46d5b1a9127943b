"""What is published of the WebSocket protocol is what it is."""

import json
import re
from pathlib import Path
from typing import Any, get_args

import jsonschema
import pytest
from django.test import Client

from realtime import protocol
from realtime.asyncapi import tag_of
from realtime.outbox import Outbox
from realtime.protocol import ByeReason, CloseCode, ErrorCode, parse
from realtime.session import Session
from tests.parts.live_feed import LiveFeed, traded
from tests.parts.web_socket import service_of

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "websocket.md").read_text()
TYPES = {tag_of(kind) for kind in get_args(protocol.ServerMessage)}
VERBS = {"subscribe", "unsubscribe", "list", "ping"}


@pytest.fixture
def document() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(Client().get("/api/schema/websocket/").content)
    return found


def schema_of(document: dict[str, Any], name: str) -> dict[str, Any]:
    return {"$ref": f"#/components/schemas/{name}", "components": document["components"]}


def test_every_message_is_there(document: dict[str, Any]) -> None:
    assert document["asyncapi"].startswith("3.")
    messages = document["components"]["messages"]
    assert messages.keys() == VERBS | TYPES == document["channels"]["ws"]["messages"].keys()
    for operation, names in (("say", VERBS), ("hear", TYPES)):
        refs = {each["$ref"].rpartition("/")[2] for each in document["operations"][operation]["messages"]}
        assert refs == names


def test_every_reference_leads_somewhere(document: dict[str, Any]) -> None:
    for ref in re.findall(r'"\$ref": ?"#/([^"]+)"', json.dumps(document)):
        place = document
        for step in ref.split("/"):
            place = place[step]


def test_every_example_is_as_its_schema_says_and_is_understood(document: dict[str, Any]) -> None:
    for name, message in document["components"]["messages"].items():
        for example in message["examples"]:
            jsonschema.validate(example["payload"], schema_of(document, name), cls=jsonschema.Draft202012Validator)
            assert name not in VERBS or parse(json.dumps(example["payload"]))


def test_schemas_refuse_what_is_refused(document: dict[str, Any]) -> None:
    for name, wrong in (("list", {}), ("ping", {"ping": 1, "limit": 2}), ("bye", {"type": "bye", "reason": "x"})):
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(wrong, schema_of(document, name), cls=jsonschema.Draft202012Validator)


def test_what_a_session_says_is_as_the_schema_says(document: dict[str, Any]) -> None:
    feed = LiveFeed()
    feed.begin({"1:0xa": traded(1)})
    service, heard = service_of(feed), list[str]()
    outbox = Outbox(lambda: None)
    session = Session(service.desk, outbox)
    session.open()
    for text in (
        '{"subscribe": ["token:USDC", "overview:5m", "token:NONE"], "id": 1}',
        '{"list": true}',
        '{"ping": 2}',
    ):
        session.answer(text)
    heard += outbox.take("2026-11-22T08:00:00Z")
    feed.step({"1:0xa": traded(2)}, reorged=["1:0xa"])
    service.hub.note(frozenset({"1:0xa"}))
    service.hub.flush()
    heard += outbox.take("2026-11-22T08:00:01Z")
    session.answer('{"unsubscribe": "token:USDC"}')
    heard += outbox.take("2026-11-22T08:00:02Z")
    messages = [json.loads(text) for text in heard]
    for message in messages:
        name = schema_of(document, message["type"])
        jsonschema.validate(message, name, cls=jsonschema.Draft202012Validator)
    assert {message["type"] for message in messages} == TYPES - {"bye"}


def test_every_code_is_there(document: dict[str, Any]) -> None:
    schemas = document["components"]["schemas"]
    assert schemas["error"]["properties"]["code"]["enum"] == list(ErrorCode)
    assert schemas["bye"]["properties"]["reason"]["enum"] == list(ByeReason)
    assert document["x-close-codes"].keys() == {str(int(code)) for code in CloseCode}


def test_the_page_tells_of_everything_and_of_nothing_else() -> None:
    _, _, rest = PAGE.partition("## What you may send")
    sent, _, rest = rest.partition("## What you get")
    got, _, _ = rest.partition("## If you read slowly")
    examples = re.findall(r"^\| `({.+?})`", sent, re.MULTILINE)
    assert all(map(parse, examples))
    assert {verb for example in examples for verb in VERBS & json.loads(example).keys()} == VERBS
    codes = re.search(r"^Error codes: (.+?)\.$", got, re.MULTILINE | re.DOTALL)
    assert codes
    assert set(re.findall(r"`(\w+)`", codes[1])) == set(ErrorCode)
    told = re.findall(r"^\| `(\w+)` \| (\d{4}) \|", got, re.MULTILINE)
    assert ({reason for reason, _ in told}, {int(code) for _, code in told}) == (set(ByeReason), set(CloseCode))
    assert set(re.findall(r"`(\w+)`", got)) >= TYPES
