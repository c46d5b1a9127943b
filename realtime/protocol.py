"""The WebSocket protocol `swapstats.v1` (CONTRACT §4): what clients may say, and what the server says.

Every message is one JSON object in one text frame. Client messages are read strictly: a misspelt member is an error,
never ignored. Server messages are typed here, so that their schema can be published as it is.
"""

from collections.abc import Sequence
from enum import IntEnum, StrEnum
from typing import Any, NamedTuple

import msgspec
from msgspec import UNSET, Struct, UnsetType, field

from swapstats.domain.errors import MessageRefused

VERSION = 1
SUBPROTOCOL = "swapstats.v1"
TOKEN_SUBPROTOCOL_PREFIX = "bearer."  # noqa: S105 - the prefix, not a secret


class ErrorCode(StrEnum):
    """Why one message, or one topic of it, was refused; the connection goes on."""

    BAD_MESSAGE = "bad_message"
    UNKNOWN_TOPIC = "unknown_topic"
    UNKNOWN_SYMBOL = "unknown_symbol"
    BAD_WINDOW = "bad_window"
    BAD_PARAMETER = "bad_parameter"
    NOT_SUBSCRIBED = "not_subscribed"
    NOT_READY = "not_ready"
    TOO_MANY_SUBSCRIPTIONS = "too_many_subscriptions"
    RATE_LIMITED = "rate_limited"


class ByeReason(StrEnum):
    """Why the server closes."""

    SERVER_SHUTDOWN = "server_shutdown"
    SLOW_CONSUMER = "slow_consumer"
    TOKEN_EXPIRED = "token_expired"  # noqa: S105
    TOKEN_REVOKED = "token_revoked"  # noqa: S105
    NOT_AUTHENTICATED = "not_authenticated"
    ORIGIN_REFUSED = "origin_refused"
    TOO_MANY_CONNECTIONS = "too_many_connections"
    MESSAGE_TOO_BIG = "message_too_big"
    NOT_READY = "not_ready"
    RATE_LIMITED = "rate_limited"


class CloseCode(IntEnum):
    GOING_AWAY = 1001
    MESSAGE_TOO_BIG = 1009
    TRY_AGAIN_LATER = 1013
    NOT_AUTHENTICATED = 4401
    ORIGIN_REFUSED = 4403
    SLOW_CONSUMER = 4408
    RATE_LIMITED = 4429


class Limits(Struct, frozen=True):
    """What one client may do; said in `welcome`. `max_conn` is the process's."""

    max_conn: int
    max_subscriptions: int
    max_message_bytes: int


# --- client → server


class Subscribe(NamedTuple):
    """Follow `topics`. `windows` chooses what statistics hold (None: all); `options` say which top list is meant."""

    topics: Sequence[str]
    windows: Sequence[str] | None
    options: dict[str, str]
    id: int | str | None


class Unsubscribe(NamedTuple):
    topics: Sequence[str]
    id: int | str | None


class ListSubscriptions(NamedTuple):
    id: int | str | None


class Ping(NamedTuple):
    """`payload` comes back in the pong."""

    payload: bool | int | float | str | None
    id: int | str | None


Request = Subscribe | Unsubscribe | ListSubscriptions | Ping


class _Message(Struct, forbid_unknown_fields=True):
    subscribe: str | list[str] | UnsetType = UNSET
    unsubscribe: str | list[str] | UnsetType = UNSET
    list_: bool | UnsetType = field(default=UNSET, name="list")
    ping: bool | int | float | str | UnsetType | None = UNSET
    windows: list[str] | UnsetType = UNSET
    sort: str | UnsetType = UNSET
    order: str | UnsetType = UNSET
    limit: int | UnsetType = UNSET
    chain_id: int | UnsetType = UNSET
    id: int | str | None = None


class _Id(Struct):
    id: int | str | None = None


_VERBS = ("subscribe", "unsubscribe", "list", "ping")
_OPTIONS = ("sort", "order", "limit", "chain_id")
_decode_message = msgspec.json.Decoder(_Message).decode
_decode_id = msgspec.json.Decoder(_Id).decode


def parse(text: str) -> Request:
    """What a client asks for. Raises MessageRefused with the message's id, as far as that could be read."""
    try:
        message = _decode_message(text)
    except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
        raise MessageRefused(ErrorCode.BAD_MESSAGE, str(error), _id_of(text)) from None
    verbs = (message.subscribe, message.unsubscribe, message.list_, message.ping)
    if sum(verb is not UNSET for verb in verbs) != 1:
        raise MessageRefused(ErrorCode.BAD_MESSAGE, f"Expected exactly one of {', '.join(_VERBS)}", message.id)
    return _request(message)


def _request(message: _Message) -> Request:
    said = {name: getattr(message, name) for name in ("windows", *_OPTIONS)}
    given = {name: value for name, value in said.items() if value is not UNSET}
    if message.subscribe is not UNSET:
        windows = given.pop("windows", None)
        return Subscribe(_topics(message.subscribe), windows, {k: str(v) for k, v in given.items()}, message.id)
    if given:
        raise MessageRefused(ErrorCode.BAD_MESSAGE, f"`{next(iter(given))}` belongs to `subscribe`", message.id)
    if message.unsubscribe is not UNSET:
        return Unsubscribe(_topics(message.unsubscribe), message.id)
    if message.ping is not UNSET:
        return Ping(message.ping, message.id)
    if message.list_ is not True:
        raise MessageRefused(ErrorCode.BAD_MESSAGE, "Expected `true` - at `$.list`", message.id)
    return ListSubscriptions(message.id)


def _topics(value: str | list[str]) -> Sequence[str]:
    return [value] if isinstance(value, str) else value


def _id_of(text: str) -> int | str | None:
    try:
        return _decode_id(text).id
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return None


# --- server → client


class Welcome(Struct, tag="welcome", frozen=True):
    """The first message."""

    coalesce_ms: int
    limits: Limits
    windows: Sequence[str]
    protocol: int = VERSION


class Granted(Struct, frozen=True, omit_defaults=True):
    """A topic by its canonical name, and as it was asked for."""

    topic: str
    requested: str | None = None
    windows: Sequence[str] | None = None


class Subscribed(Struct, tag="subscribed", frozen=True, omit_defaults=True, kw_only=True):
    id: int | str | None = None
    topics: Sequence[Granted]


class Unsubscribed(Struct, tag="unsubscribed", frozen=True, omit_defaults=True, kw_only=True):
    id: int | str | None = None
    topics: Sequence[Granted]


class Subscriptions(Struct, tag="subscriptions", frozen=True, omit_defaults=True, kw_only=True):
    id: int | str | None = None
    topics: Sequence[Granted]


class Pong(Struct, tag="pong", frozen=True, omit_defaults=True, kw_only=True):
    """`ts` is the server's time; `lag_ms` how old the live view is, null while it is not fed."""

    id: int | str | None = None
    ping: bool | int | float | str | None
    ts: str
    lag_ms: int | None


class Snapshot(Struct, tag="snapshot", frozen=True):
    """All of a topic: the first message after a subscription, and again whenever continuity is lost."""

    topic: str
    epoch: str
    seq: int
    data: dict[str, Any]


class Patch(Struct, frozen=True, omit_defaults=True):
    """A JSON Merge Patch (RFC 7386) that leads from the topic's state at `prev` to the one at `seq`."""

    topic: str
    epoch: str
    prev: int
    seq: int
    data: dict[str, Any]
    reason: str | None = None


class Patches(Struct, tag="patches", frozen=True):
    """At most one per `coalesce_ms`."""

    ts: str
    items: Sequence[Patch]


class Error(Struct, tag="error", frozen=True, omit_defaults=True, kw_only=True):
    id: int | str | None = None
    code: str
    message: str
    topic: str | None = None


class Bye(Struct, tag="bye", frozen=True):
    """The last message."""

    reason: str


ServerMessage = Welcome | Subscribed | Unsubscribed | Subscriptions | Pong | Snapshot | Patches | Error | Bye
ClientMessage = _Message

_encoder = msgspec.json.Encoder()


def encode(message: ServerMessage) -> str:
    return _encoder.encode(message).decode()


def patch_item(topic: str, epoch: str, prev: int, seq: int, data: str, reason: str | None) -> str:
    """What `encode` makes of a `Patch`, whose data are encoded already."""
    ending = f',"reason":"{reason}"}}' if reason else "}"
    return f'{{"topic":{_text(topic)},"epoch":{_text(epoch)},"prev":{prev},"seq":{seq},"data":{data}{ending}'


def _text(value: str) -> str:
    return _encoder.encode(value).decode()


def patches_frame(ts: str, items: Sequence[str]) -> str:
    """A `patches` message out of patches that are encoded already."""
    return f'{{"type":"patches","ts":"{ts}","items":[{",".join(items)}]}}'
