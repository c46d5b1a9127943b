"""Decoding what is valid: every field as it is written, every identity as the contract makes it."""

import json
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aggregator.pipeline.decode import Decoder
from swapstats.domain.swap import Invalid, Side, Swap, occurrence_digest
from swapstats.ports.swap_source import Record

NOON = 1_704_456_000_000
DECODER = Decoder(max_bytes=10_000, max_skew_ms=60_000)
EVENT = {
    "chain_id": 1,
    "tx_hash": "0xAbC1",
    "log_index": 7,
    "token_address": "0xC02A",
    "side": "buy",
    "amount_token": "1.5",
    "amount_usd": "2.25",
    "event_time": NOON,
}


def record(value: bytes | None, timestamp_ms: int = NOON + 1_000) -> Record:
    return Record(3, 42, timestamp_ms, b"key", value)


def event(**fields: object) -> bytes:
    """A valid event but for `fields`; ... leaves one out."""
    return json.dumps({name: value for name, value in {**EVENT, **fields}.items() if value is not ...}).encode()


def written(field: str, text: str) -> bytes:
    """A valid event whose `field` is written as `text`, to the letter."""
    return event(**{field: "@@"}).replace(b'"@@"', text.encode())


def decoded(value: bytes) -> Swap:
    swap = DECODER.decode(record(value))
    assert isinstance(swap, Swap), swap
    return swap


def test_every_field() -> None:
    more = {"event_id": "1:0xabc1:7", "token_symbol": "WETH", "pool_address": "0xB0", "trader": "0xB1"}
    value = event(**more, block_number=5, block_hash="0xFF", removed=True, schema_version=1, else_what={"a": [1.5]})
    swap = decoded(value)
    assert swap == Swap(
        event_id="1:0xabc1:7",
        token_id="1:0xc02a",
        is_buy=True,
        amount_usd=2_250_000,
        amount_token=1_500_000_000_000_000_000,
        event_time_ms=NOON,
        removed=True,
        block_hash="0xff",
        block_number=5,
        token_symbol="WETH",
        chain_id=1,
        tx_hash="0xabc1",
        log_index=7,
        token_address="0xc02a",
        pool_address="0xb0",
        trader="0xb1",
    )
    assert swap.side is Side.BUY
    assert decoded(event(side="sell")).side is Side.SELL


def test_what_is_optional_may_be_absent_or_null() -> None:
    optional = ("event_id", "token_symbol", "pool_address", "trader", "block_number", "block_hash")
    assert decoded(event()) == decoded(event(**dict.fromkeys(optional)))
    assert decoded(event(token_symbol="")).token_symbol is None


@pytest.mark.parametrize(
    ("field", "text", "expected"),
    [
        ("amount_usd", "9007199254740993", 9007199254740993 * 10**6),  # a double would end in 2
        ("amount_usd", "0.1234565", 123456),
        ("amount_usd", "0.1234575", 123458),
        ("amount_usd", "0.30000000000000004", 300000),
        ("amount_usd", "2.5e-6", 2),
        ("amount_usd", "3.5e-6", 4),
        ("amount_usd", "1E+3", 10**9),
        ("amount_usd", "-0", 0),
        ("amount_usd", "0." + "4" * 300, 444444),
        ("amount_usd", '"' + "0" * 5_000 + '7"', 7 * 10**6),
        ("amount_token", "0.1000000000000000055511151231257827", 10**17 + 6),
        ("amount_token", "123456789012345678901234567890.123456789", 123456789012345678901234567890123456789 * 10**9),
        ("amount_token", "18446744073709551616", 2**64 * 10**18),
        ("amount_token", "9" * 48, (10**48 - 1) * 10**18),
        ("amount_token", "1e-400", 0),
        ("amount_token", '"0.000000000000000001"', 1),
        ("amount_token", '"0.0000000000000000005"', 0),
        ("amount_token", '"0.0000000000000000005' + "0" * 500 + '1"', 1),
    ],
)
def test_numbers_are_read_exactly_as_written(field: str, text: str, expected: int) -> None:
    assert getattr(decoded(written(field, text)), field) == expected


@given(st.decimals(0, 10**40, allow_nan=False, allow_infinity=False), st.booleans())
def test_numbers_and_strings_say_the_same(amount: Decimal, as_exponent: bool) -> None:
    text = f"{amount:E}" if as_exponent else f"{amount:f}"
    number, string = decoded(written("amount_token", text)), decoded(event(amount_token=text))
    assert number == string


def test_the_last_of_repeated_keys_counts() -> None:
    repeated = event()[:-1] + b', "amount_usd": "7", "amount_usd": 7.10}'
    assert decoded(repeated).amount_usd == 7_100_000
    assert decoded(repeated[:-1] + b', "amount_usd": "8"}').amount_usd == 8_000_000


def test_escaped_keys_are_keys() -> None:
    assert decoded(event(amount_usd=2.5).replace(b'"amount_usd"', b'"amount\\u005fusd"')).amount_usd == 2_500_000


@pytest.mark.parametrize(
    ("text", "milliseconds"),
    [
        ("2024-01-05T12:00:00Z", 0),
        ("2024-01-05T12:00:00.5Z", 500),
        ("2024-01-05T12:00:00.123Z", 123),
        ("2024-01-05T12:00:00.123999Z", 123),
        ("2024-01-05T12:00:00.9999999Z", 999),
        ("2024-01-05T12:00:00.999999999999Z", 999),
        ("2024-01-05t12:00:00.25z", 250),
        ("2024-01-05 12:00:00Z", 0),
        ("2024-01-05T14:00:00+02:00", 0),
        ("2024-01-05T06:29:59.001-05:30", -999),
        ("2024-01-05T12:00:00-00:00", 0),
        ("2024-01-05T12:00:00.9999999+00:00", 999),
    ],
)
def test_times_of_rfc_3339(text: str, milliseconds: int) -> None:
    assert decoded(event(event_time=text)).event_time_ms == NOON + milliseconds


@given(st.datetimes(datetime(1970, 1, 2), datetime(2024, 1, 4)), st.integers(-1439, 1439), st.integers(0, 9))
def test_any_time_in_any_zone(naive: datetime, offset_minutes: int, digits: int) -> None:
    moment = naive.replace(tzinfo=timezone(timedelta(minutes=offset_minutes)))
    fraction = f".{moment.microsecond * 1000:09d}"[: digits + 1] if digits else ""
    sign, minutes = ("-" if offset_minutes < 0 else "+"), abs(offset_minutes)
    text = f"{moment:%Y-%m-%dT%H:%M:%S}{fraction}{sign}{minutes // 60:02d}:{minutes % 60:02d}"
    whole = (moment.replace(microsecond=0) - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1)
    assert decoded(event(event_time=text)).event_time_ms == whole + int((fraction[1:] + "000")[:3])


class TestIdentities:
    def test_hexadecimal_is_lower_case_and_anything_else_stays(self) -> None:
        base58 = "5VERv8NMvzbJMEkV8xnrLkEaWRtSz9CosKDYjCJjBRnb"
        swap = decoded(
            event(tx_hash=base58, token_address="So11111111111111111111111111111111111111112", trader="0XaB")
        )
        assert swap.event_id == f"1:{base58}:7"
        assert swap.token_id == "1:So11111111111111111111111111111111111111112"
        assert swap.trader == "0xab"
        assert decoded(event(tx_hash="0xABCg")).tx_hash == "0xABCg"
        assert decoded(event(tx_hash="0X")).tx_hash == "0X"

    @pytest.mark.parametrize("event_id", ["1:0xabc1:7", "1:0xAbC1:7", "1:0XABC1:7"])
    def test_an_event_id_in_the_hashs_own_capitals_agrees(self, event_id: str) -> None:
        assert decoded(event(event_id=event_id)).event_id == "1:0xabc1:7"

    def test_token_is_an_alias_and_then_the_symbol_too(self) -> None:
        swap = decoded(event(token_address=..., token="WETH"))
        assert (swap.token_id, swap.token_symbol) == ("1:WETH", "WETH")
        swap = decoded(event(token_address=None, token="0xC02A", token_symbol="X"))
        assert (swap.token_id, swap.token_symbol) == ("1:0xc02a", "X")
        assert decoded(event(token_address=..., token="W" * 65)).token_symbol is None
        assert decoded(event(token="OTHER")) == decoded(event())

    def test_an_occurrence_is_an_event_in_its_block(self) -> None:
        """The hash names the block, else the number, else nothing does."""
        events = [
            event(),
            event(block_number=5),
            event(block_number=6),
            event(block_hash="0xaa"),
            event(block_hash="0xbb", block_number=5),
            event(block_hash="5"),
            event(log_index=8),
            event(chain_id=2),
            event(tx_hash="0xabc2"),
        ]
        assert len({occurrence_digest(decoded(value)) for value in events}) == len(events)

    def test_a_redelivery_is_the_same_occurrence_whatever_else_it_says(self) -> None:
        one = event(block_hash="0xAA", block_number=5)
        other = event(
            block_hash="0xaa", removed=True, amount_usd="9", event_time=NOON - 1, side="sell", token_symbol="Q"
        )
        assert occurrence_digest(decoded(one)) == occurrence_digest(decoded(other))

    @given(st.tuples(st.text("0#@:1", max_size=4), st.text("0#@:1", min_size=1, max_size=4)))
    def test_no_two_spellings_meet(self, texts: tuple[str, str]) -> None:
        block, tx_hash = texts
        plain = decoded(event(tx_hash=f"{block}{tx_hash}"))
        if block:
            assert occurrence_digest(plain) != occurrence_digest(decoded(event(tx_hash=tx_hash, block_hash=block)))


@given(st.binary(max_size=300) | st.text(max_size=100).map(str.encode))
def test_never_raises_on_anything(value: bytes) -> None:
    assert isinstance(DECODER.decode(record(value)), Invalid)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=5,
)


@given(
    st.sampled_from([*EVENT, "event_id", "token", "token_symbol", "block_hash", "removed", "schema_version"]),
    json_values,
)
def test_never_raises_on_any_field(field: str, value: object) -> None:
    found = DECODER.decode(record(event(**{field: value})))
    if isinstance(found, Swap):
        occurrence_digest(found)


@given(st.data())
def test_never_raises_on_a_damaged_event(data: st.DataObject) -> None:
    value = bytearray(event(block_hash="0xaa", token_symbol="WETH", amount_usd=1.5))
    for _ in range(data.draw(st.integers(1, 3))):
        value[data.draw(st.integers(0, len(value) - 1))] = data.draw(st.integers(0, 255))
    found = DECODER.decode(record(bytes(value)))
    if isinstance(found, Swap):
        occurrence_digest(found)
