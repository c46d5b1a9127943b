"""The protocol as an AsyncAPI 3 document, made from the types of `realtime.protocol`."""

from collections.abc import Iterable, Mapping
from typing import Any, get_args

import msgspec

from realtime import protocol
from realtime.protocol import ByeReason, CloseCode, ErrorCode, Granted, Limits

Json = dict[str, Any]

OPTIONS = {"subscribe": ("windows", "sort", "order", "limit", "chain_id")}
"""What a message may hold beside its verb and its `id`."""
CLIENT_MESSAGES: Mapping[str, tuple[str, Json]] = {
    "subscribe": (
        "Follow topics: `token:<symbol>`, `token:<identity>`, `overview:<window>`. Options choose windows and list.",
        {"subscribe": ["token:USDC", "overview:5m"], "windows": ["5m"], "id": 7},
    ),
    "unsubscribe": ("Follow topics no more.", {"unsubscribe": "token:USDC"}),
    "list": ("What is followed; the value is `true`.", {"list": True}),
    "ping": ("Answered by a pong with the same value.", {"ping": 1}),
}
TOPIC = "token:1:0xa0b86991c6218b36c1d19d4a2e9eb0ce3606eb48"
GRANTED = [Granted(TOPIC, "token:USDC", ["5m"])]
SERVER_MESSAGES: tuple[protocol.ServerMessage, ...] = (
    protocol.Welcome(100, Limits(5_000, 100, 65_536), ["5m", "1h", "24h"]),
    protocol.Subscribed(id=7, topics=GRANTED),
    protocol.Unsubscribed(topics=GRANTED),
    protocol.Subscriptions(topics=GRANTED),
    protocol.Pong(ping=1, ts="2026-11-22T08:00:01.240Z", lag_ms=60),
    protocol.Patches(
        "2026-11-22T08:00:01.240Z",
        [protocol.Patch(TOPIC, "9f3c1b7e5a2d4c68", 1234, 1235, {"price_usd": "1.000215", "seq": 1235}, "reorg")],
    ),
    protocol.Error(id=7, code=ErrorCode.UNKNOWN_SYMBOL, message="No token carries the symbol", topic="token:NONE"),
    protocol.Bye(ByeReason.SERVER_SHUTDOWN),
)
CLOSE_CODES = {
    CloseCode.GOING_AWAY: "The server shuts down; connect again.",
    CloseCode.MESSAGE_TOO_BIG: "A message had more bytes than `limits.max_message_bytes`.",
    CloseCode.TRY_AGAIN_LATER: "As many clients as `limits.max_conn` are connected, or tickets cannot be read now.",
    CloseCode.NOT_AUTHENTICATED: "No valid token or ticket, or it has expired or was revoked.",
    CloseCode.ORIGIN_REFUSED: "The page is of an origin that is not allowed.",
    CloseCode.SLOW_CONSUMER: "The client did not read for too long.",
    CloseCode.RATE_LIMITED: "Too many connections of this token or address lately; come back in a moment.",
}


def document(version: str, stats: Json) -> Json:
    """The whole document. `stats` is an example of what a topic of a token holds."""
    snapshot = protocol.Snapshot(TOPIC, stats["epoch"], stats["seq"], stats)
    heard = {tag_of(type(each)): msgspec.to_builtins(each) for each in (*SERVER_MESSAGES, snapshot)}
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "swapstats over WebSocket",
            "version": version,
            "description": "One JSON object in each text frame. What a schema cannot say stands in docs/websocket.md.",
        },
        "defaultContentType": "application/json",
        "channels": {"ws": _channel([*CLIENT_MESSAGES, *heard])},
        "operations": {
            "say": _operation("receive", "What clients may say.", CLIENT_MESSAGES),
            "hear": _operation("send", "What the server says.", heard),
        },
        "components": {
            "messages": {
                **{verb: _message(verb, about, example) for verb, (about, example) in CLIENT_MESSAGES.items()},
                **{tag: _message(tag, _about(tag), example) for tag, example in heard.items()},
            },
            "schemas": _schemas(),
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"},
                "ticket": {"type": "httpApiKey", "name": "ticket", "in": "query"},
            },
        },
        "x-close-codes": {str(int(code)): meaning for code, meaning in CLOSE_CODES.items()},
    }


def tag_of(message: type) -> str:
    """The `type` that a server message carries."""
    return str(msgspec.inspect.type_info(message).tag)  # type: ignore[attr-defined]


def _channel(messages: Iterable[str]) -> Json:
    ticket = {"type": "string", "description": "From `POST /api/ws/ticket`; good for one connection."}
    return {
        "address": "/ws",
        "description": "Subprotocols: `swapstats.v1`, and `bearer.<jwt>` where no header can be set.",
        "messages": {name: {"$ref": f"#/components/messages/{name}"} for name in messages},
        "bindings": {
            "ws": {
                "method": "GET",
                "query": {"type": "object", "properties": {"ticket": ticket}},
                "headers": {"type": "object", "properties": {"Authorization": {"type": "string"}}},
                "bindingVersion": "0.1.0",
            }
        },
    }


def _operation(action: str, summary: str, messages: Iterable[str]) -> Json:
    refs = [{"$ref": f"#/channels/ws/messages/{name}"} for name in messages]
    return {"action": action, "channel": {"$ref": "#/channels/ws"}, "summary": summary, "messages": refs}


def _message(name: str, about: str, example: Json) -> Json:
    payload = {"$ref": f"#/components/schemas/{name}"}
    return {"name": name, "summary": about, "payload": payload, "examples": [{"payload": example}]}


def _about(tag: str) -> str:
    return next(
        (kind.__doc__ or tag).split("\n")[0] for kind in get_args(protocol.ServerMessage) if tag_of(kind) == tag
    )


def _schemas() -> Json:
    kinds = get_args(protocol.ServerMessage)
    _, found = msgspec.json.schema_components(kinds, ref_template="#/components/schemas/{name}")
    for kind in kinds:
        found[tag_of(kind)] = found.pop(kind.__name__)
    found["error"]["properties"]["code"] = {"enum": list(ErrorCode)}
    found["bye"]["properties"]["reason"] = {"enum": list(ByeReason)}
    return {**{verb: _client_schema(verb) for verb in CLIENT_MESSAGES}, **found}


def _client_schema(verb: str) -> Json:
    _, found = msgspec.json.schema_components([protocol.ClientMessage], ref_template="{name}")
    (message,) = found.values()
    names = (verb, *OPTIONS.get(verb, ()), "id")
    properties = {name: message["properties"][name] for name in names}
    return {"type": "object", "properties": properties, "required": [verb], "additionalProperties": False}
