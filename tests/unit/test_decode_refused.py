"""Garbage of every kind, each with the reason that its dead letter carries."""

import json

import pytest

from swapstats.domain.swap import Invalid, InvalidReason
from tests.unit.test_decode import DECODER, EVENT, NOON, event, record, written

VALID = event()
DEEP = "[" * 4_000 + "]" * 4_000


def refused(value: bytes | None, timestamp_ms: int = NOON) -> Invalid:
    invalid = DECODER.decode(record(value, timestamp_ms))
    assert isinstance(invalid, Invalid), invalid
    return invalid


@pytest.mark.parametrize(
    "value",
    [
        None,
        b"",
        bytes(range(256)),
        b"\x00\x00\x00\x00\x07schema-registry",
        VALID[:-1],
        VALID[: len(VALID) // 2],
        VALID + b"x",
        VALID + VALID,
        VALID + b"\x00",
        b"\xef\xbb\xbf" + VALID,
        VALID.decode().encode("utf-16"),
        VALID.replace(b"0xAbC1", b"0x\xe9"),
        event(extra="@@").replace(b"@@", b"\xff"),
        b"null",
        b"[]",
        b"[" + VALID + b"]",
        b'"text"',
        b"1.5",
        b"NaN",
        DEEP.encode(),
        written("extra", DEEP),
        b'{"a":' * 1_500 + b"1" + b"}" * 1_500,
        written("amount_usd", "NaN"),
        written("amount_usd", "Infinity"),
        written("amount_usd", "-Infinity"),
        written("amount_usd", "01"),
        written("amount_usd", "+1"),
        written("amount_usd", ".5"),
        written("amount_usd", "1."),
        written("amount_usd", "0x10"),
        written("tx_hash", r'"\ud800"'),
        written("extra", r'"\ud800"'),
        VALID.replace(b'"', b"'"),
        written("extra", '"\x01"'),
    ],
)
def test_what_is_no_json_object_is_malformed(value: bytes | None) -> None:
    assert refused(value).reason is InvalidReason.MALFORMED_JSON


@pytest.mark.parametrize("field", [name for name in EVENT if name != "token_address"])
def test_what_is_required_must_be_there(field: str) -> None:
    invalid = refused(event(**{field: ...}))
    assert invalid.reason is InvalidReason.MISSING_FIELD
    assert field in invalid.detail


def test_a_token_must_be_named_by_address_or_alias() -> None:
    for value in (event(token_address=...), event(token_address=None), event(token_address=None, token=None)):
        assert refused(value).reason is InvalidReason.MISSING_FIELD


WRONG_NUMBERS = ["true", "null", '"1"', "1.0", "1.5", "1e0", "[]", "{}", "-1", "1" + "0" * 30, "1" + "0" * 5_000]
WRONG_AMOUNTS = [
    *("true", "null", "[]", "{}", '""', '" 1"', '"1 "', '"1,5"', '"0x10"', '"+1"', '"٣"', '"1_000"', '"."', '"1e"'),
    *('"NaN"', '"Infinity"', '"-Infinity"', "-1", '"-1"', '"-0.0000001"', "-1e400"),
    *("1e400", '"1e400"', "1" + "0" * 400, '"1' + "0" * 400 + '"', "1e48", '"1e48"', '"1e999999999999"'),
]
WRONG_TIMES = [
    *("null", "true", "1.5", "1704456000000.0", '"1704456000000"', "-1", "253402300800000", "1" + "0" * 30, '""'),
    *('"2024-01-05"', '"2024-01-05T12:00:00"', '"2024-01-05T12:00Z"', '"20240105T120000Z"', '"noon"'),
    *('"2024-01-05T12:00:00+0200"', '"2024-01-05T12:00:00+24:00"', '"2024-01-05T12:00:00,5Z"'),
    *('"2024-01-05T12:00:00.Z"', '"2024-02-30T12:00:00Z"', '"2024-01-05T24:00:00Z"', '"2024-01-05T12:00:60Z"'),
    *('"1969-12-31T23:59:59.999Z"', '"0001-01-01T00:00:00Z"', '"2024-01-05T12:00:00.1234567+0000"'),
    '"2024-01-05T12:00:00Z "',
]
WRONG_TEXTS = ['""', "1", "true", "[]", "{}", f'"{"a" * 129}"']


@pytest.mark.parametrize(
    ("field", "text"),
    [
        *(("chain_id", text) for text in [*WRONG_NUMBERS, "0", str(2**63)]),
        *(("log_index", text) for text in [*WRONG_NUMBERS, str(2**32)]),
        *(("block_number", text) for text in WRONG_NUMBERS if text != "null"),
        *(("amount_usd", text) for text in WRONG_AMOUNTS),
        *(("amount_token", text) for text in WRONG_AMOUNTS),
        *(("event_time", text) for text in WRONG_TIMES),
        *(("tx_hash", text) for text in [*WRONG_TEXTS, "null"]),
        *(("token_address", text) for text in WRONG_TEXTS),
        *(("pool_address", text) for text in WRONG_TEXTS),
        *(("trader", text) for text in WRONG_TEXTS),
        *(("block_hash", text) for text in WRONG_TEXTS),
        *(("token_symbol", text) for text in ["1", "true", "[]", f'"{"a" * 65}"']),
        *(("side", text) for text in ["null", "1", '"BUY"', '"Sell"', '""', '"swap"', "true"]),
        *(("removed", text) for text in ["null", "1", "0", '"true"', "[]"]),
        *(("event_id", text) for text in ["1", "true", "[]"]),
        *(("schema_version", text) for text in ["null", '"1"', "1.5", "true", "[]"]),
    ],
)
def test_a_field_of_the_wrong_kind_is_named(field: str, text: str) -> None:
    invalid = refused(written(field, text))
    assert invalid.reason is InvalidReason.BAD_FIELD
    assert field in invalid.detail or "out of range" in invalid.detail
    assert len(invalid.detail) < 300


@pytest.mark.parametrize("event_id", ["1:0xabc2:7", "2:0xabc1:7", "1:0xabc1:8", "01:0xabc1:7", "", "x" * 5_000, "::"])
def test_an_event_id_that_disagrees(event_id: str) -> None:
    invalid = refused(event(event_id=event_id))
    assert invalid.reason is InvalidReason.EVENT_ID_MISMATCH
    assert "1:0xabc1:7" in invalid.detail
    assert len(invalid.detail) < 400


def test_the_future_is_told_by_the_records_own_timestamp() -> None:
    assert not isinstance(DECODER.decode(record(VALID, NOON - 60_000)), Invalid)
    invalid = refused(VALID, NOON - 60_001)
    assert invalid.reason is InvalidReason.FROM_THE_FUTURE
    assert "60.001 s" in invalid.detail
    assert refused(VALID, -1).reason is InvalidReason.FROM_THE_FUTURE


@pytest.mark.parametrize("version", [0, 2, -1, 10**30])
def test_another_schema_version_comes_before_all_else(version: int) -> None:
    for value in (event(schema_version=version), json.dumps({"schema_version": version, "chain_id": "x"}).encode()):
        assert refused(value).reason is InvalidReason.UNSUPPORTED_SCHEMA_VERSION


def test_what_is_too_large_is_not_even_looked_at() -> None:
    fits = event(extra="x" * (10_000 - len(event(extra=""))))
    assert len(fits) == 10_000
    assert not isinstance(DECODER.decode(record(fits)), Invalid)
    invalid = refused(fits + b" ")
    assert invalid.reason is InvalidReason.TOO_LARGE
    assert "10001 bytes" in invalid.detail
