"""Bytes of a record → Swap, or the reason why it is none (CONTRACT §1).

Decoding is strict: JSON types are as the contract says, nothing is guessed, and numbers are read as written.
"""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import lru_cache, partial
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from swapstats.domain.amount import TOKEN_DIGITS, USD_DIGITS, parse_amount
from swapstats.domain.swap import Invalid, InvalidReason, Swap, canonical_identifier, token_id
from swapstats.ports.swap_source import Record

SCHEMA_VERSION = 1

_Identifier = Annotated[str, Meta(min_length=1, max_length=128)]
_BlockNumber = Annotated[int, Meta(ge=0, le=2**63 - 1)]
_EpochMs = Annotated[int, Meta(ge=0, le=253_402_300_799_999)]


class _Event(msgspec.Struct, gc=False):
    """The record as it stands in the log."""

    chain_id: Annotated[int, Meta(ge=1, le=2**63 - 1)]
    tx_hash: _Identifier
    log_index: Annotated[int, Meta(ge=0, le=2**32 - 1)]
    side: Literal["buy", "sell"]
    amount_token: str | int | float
    amount_usd: str | int | float
    event_time: _EpochMs | str
    token_address: _Identifier | None = None
    token: _Identifier | None = None
    event_id: str | None = None
    token_symbol: Annotated[str, Meta(max_length=64)] | None = None
    pool_address: _Identifier | None = None
    trader: _Identifier | None = None
    block_number: _BlockNumber | None = None
    block_hash: _Identifier | None = None
    removed: bool = False
    schema_version: int = SCHEMA_VERSION


class _AmountsAsWritten(msgspec.Struct):
    """For amounts that are JSON numbers: their very characters, before any float."""

    amount_token: msgspec.Raw
    amount_usd: msgspec.Raw


class _NotASwap(Exception):  # noqa: N818 - never leaves this module
    """Carries an Invalid out of the depths of decoding one record."""


_decode: Callable[[bytes], _Event] = msgspec.json.Decoder(_Event).decode
_decode_amounts: Callable[[bytes], _AmountsAsWritten] = msgspec.json.Decoder(_AmountsAsWritten).decode
_as_datetime: Callable[[str], datetime] = partial(msgspec.convert, type=Annotated[datetime, Meta(tz=True)])
_UNIX_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)
_RFC3339 = re.compile(r"([^.]{19}(?:\.[0-9]{1,6})?)[0-9]*([Zz]|[+-][0-9]{2}:[0-9]{2})")
_PLAIN_TIME = len("2024-01-05T00:00:23.123456Z")
_MAX_SYMBOL = 64


class Decoder:
    """Decodes records. One longer than `max_bytes` is too large; one whose event time is more than `max_skew_ms`
    past its own record timestamp comes from the future."""

    def __init__(self, max_bytes: int, max_skew_ms: int) -> None:
        self._max_bytes = max_bytes
        self._max_skew_ms = max_skew_ms

    def decode(self, record: Record) -> Swap | Invalid:
        """Never raises, whatever the record holds."""
        value = record.value
        try:
            if value is None or len(value) > self._max_bytes:
                raise _NotASwap(_unreadable(value, self._max_bytes))
            if not value.isascii():
                value.decode()  # fields that nobody knows are skipped unread, but the record is to be UTF-8
            return self._swap(_decode(value), value, record.timestamp_ms)
        except _NotASwap as error:
            invalid: Invalid = error.args[0]
            return invalid
        except (msgspec.DecodeError, ValueError, RecursionError) as error:
            return _explain(value or b"", error)

    def _swap(self, event: _Event, value: bytes, timestamp_ms: int) -> Swap:
        if event.schema_version != SCHEMA_VERSION:
            raise _NotASwap(_unsupported(event.schema_version))
        chain_id, tx_hash, address = event.chain_id, canonical_identifier(event.tx_hash), event.token_address
        symbol, block, pool, trader = event.token_symbol, event.block_hash, event.pool_address, event.trader
        if address is None:
            address, symbol = _alias(event)
        token, address = _token(chain_id, address)
        event_id = f"{chain_id}:{tx_hash}:{event.log_index}"
        if event.event_id != event_id and event.event_id is not None:
            _check_event_id(event, event_id)
        fields = (
            event_id,
            token,
            event.side == "buy",
            _amount(event.amount_usd, USD_DIGITS, "amount_usd", value),
            _amount(event.amount_token, TOKEN_DIGITS, "amount_token", value),
            self._event_time(event.event_time, timestamp_ms),
            event.removed,
            block and _shared(block),
            event.block_number,
            symbol or None,
            chain_id,
            tx_hash,
            event.log_index,
            address,
            pool and _shared(pool),
            trader and canonical_identifier(trader),
        )
        return tuple.__new__(Swap, fields)  # twice as fast as Swap(...)

    def _event_time(self, time: int | str, timestamp_ms: int) -> int:
        event_ms = time if isinstance(time, int) else _epoch_ms(time)
        if event_ms > timestamp_ms + self._max_skew_ms:
            ahead_s = (event_ms - timestamp_ms) / 1000
            detail = f"`event_time` is {ahead_s:.3f} s after the record's own timestamp"
            detail += f"; expected at most {self._max_skew_ms / 1000:g} s"
            raise _NotASwap(Invalid(InvalidReason.FROM_THE_FUTURE, detail))
        return event_ms


_shared = lru_cache(maxsize=65_536)(canonical_identifier)
"""For identifiers that many swaps have in common, so that they have one string in common too."""


@lru_cache(maxsize=65_536)
def _token(chain_id: int, address: str) -> tuple[str, str]:
    """The token's identity, and its address in canonical form."""
    address = canonical_identifier(address)
    return token_id(chain_id, address), address


@lru_cache(maxsize=65_536)  # the swaps of a block share its time
def _epoch_ms(text: str) -> int:
    """Epoch milliseconds of an RFC 3339 time; finer digits are cut off."""
    plain = text
    if len(text) > _PLAIN_TIME or not text.endswith("Z"):
        match = _RFC3339.fullmatch(text)
        plain = match[1] + match[2] if match else ""
    try:
        event_ms = (_as_datetime(plain) - _UNIX_EPOCH) // _MILLISECOND
    except msgspec.ValidationError:
        event_ms = -1
    if event_ms < 0:
        raise _NotASwap(_bad(f"`event_time`: expected an RFC 3339 time from 1970 on, got {text[:60]!r}"))
    return event_ms


def _alias(event: _Event) -> tuple[str, str | None]:
    """Address and symbol of an event that names its token by `token`."""
    if event.token is None:
        raise _NotASwap(Invalid(InvalidReason.MISSING_FIELD, "expected `token_address` (or its alias `token`)"))
    return event.token, event.token_symbol or (event.token if len(event.token) <= _MAX_SYMBOL else None)


def _check_event_id(event: _Event, event_id: str) -> None:
    """An id written with the hash's own capitals agrees as well."""
    chain_id, _, rest = (event.event_id or "").partition(":")
    tx_hash, _, log_index = rest.rpartition(":")
    if f"{chain_id}:{canonical_identifier(tx_hash)}:{log_index}" != event_id:
        detail = f"`event_id` is {(event.event_id or '')[:200]!r}, but the event's fields make it {event_id!r}"
        raise _NotASwap(Invalid(InvalidReason.EVENT_ID_MISMATCH, detail))


def _amount(amount: str | int | float, digits: int, field: str, value: bytes) -> int:
    """The fixed-point integer of a decimal string, or of a JSON number as it is written in `value`."""
    if not isinstance(amount, str):
        raw: msgspec.Raw = getattr(_decode_amounts(value), field)
        amount = bytes(raw).decode()
    try:
        return parse_amount(amount, digits)
    except ValueError as error:
        raise _NotASwap(_bad(f"`{field}`: {error}")) from error


def _unreadable(value: bytes | None, max_bytes: int) -> Invalid:
    if value is None:
        return Invalid(InvalidReason.MALFORMED_JSON, "the record has no value; expected one JSON object")
    return Invalid(InvalidReason.TOO_LARGE, f"the record has {len(value)} bytes; expected at most {max_bytes}")


def _explain(value: bytes, error: Exception) -> Invalid:
    """Why msgspec refused a record. The schema version comes first: another one has other fields."""
    try:
        document: Any = msgspec.json.decode(value)
    except (msgspec.DecodeError, ValueError, RecursionError) as malformed:
        if "out of range" in str(malformed):
            return _bad(f"{malformed}; expected amounts as decimal strings or numbers of a sensible size")
        return Invalid(InvalidReason.MALFORMED_JSON, f"{malformed}; expected one JSON object in UTF-8")
    if not isinstance(document, dict):
        kind = "null" if document is None else type(document).__name__
        return Invalid(InvalidReason.MALFORMED_JSON, f"expected one JSON object, got {kind}")
    version = document.get("schema_version", SCHEMA_VERSION)
    if version != SCHEMA_VERSION and isinstance(version, int) and not isinstance(version, bool):
        return _unsupported(version)
    if "missing required field" in str(error):
        return Invalid(InvalidReason.MISSING_FIELD, str(error))
    return _bad(str(error))


def _unsupported(version: int) -> Invalid:
    detail = f"`schema_version` is {version}; expected {SCHEMA_VERSION}"
    return Invalid(InvalidReason.UNSUPPORTED_SCHEMA_VERSION, detail)


def _bad(detail: str) -> Invalid:
    return Invalid(InvalidReason.BAD_FIELD, detail)
