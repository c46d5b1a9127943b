"""The model itself, held against totals that were computed elsewhere and against cases worked out by hand."""

import gzip
import json
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from tests.oracle import Oracle

T0 = 1_700_000_040_000  # a whole minute
DAY = "uniswap_v3_eth_2024-01-05"


def event(number: int, time_ms: int = T0, **fields: Any) -> bytes:
    swap = {
        "chain_id": 1,
        "tx_hash": f"0x{number:x}",
        "log_index": 0,
        "token_address": "0xAA",
        "side": "buy",
        "amount_token": "2",
        "amount_usd": "10",
        "event_time": time_ms,
    }
    return json.dumps(swap | fields).encode()


def epoch_ms(text: str) -> int:
    return round(datetime.fromisoformat(text).timestamp() * 1000)


def test_the_recorded_day_has_the_expected_values_at_every_instant(shared_data: Path) -> None:
    """Each instant sees the swaps that were recorded until then, 1.5 s after they happened."""
    expected = json.loads((shared_data / f"{DAY}.expected.json").read_text())
    with gzip.open(shared_data / f"{DAY}.jsonl.gz") as lines:
        log = [(line, epoch_ms(json.loads(line)["event_time"]) + 1_500) for line in lines]
    for instant, windows in expected["at"].items():
        now_ms = epoch_ms(instant)
        oracle = Oracle()
        oracle.records((value, timestamp) for value, timestamp in log if timestamp <= now_ms)
        found = oracle.stats(expected["token"], now_ms)["windows"]
        for name, window in windows.items():
            for field, value in window.items():
                got = found[name]["from_ms"] if field == "from" else found[name][field]
                assert got == (epoch_ms(value) if field == "from" else value), (instant, name, field)


def test_the_decision_table() -> None:
    oracle = Oracle()
    late = T0 + 120_001
    log = [
        (event(1), T0, "applied"),
        (event(1), T0, "duplicate"),
        (event(1, removed=True), T0, "retracted"),
        (event(1, removed=True), T0, "duplicate"),
        (event(1), T0, "duplicate"),
        (event(1, block_hash="0xb2"), T0, "applied"),
        (event(1, block_number=7), T0, "applied"),
        (event(2), late, "late"),
        (event(2, removed=True), late, "retracted_late"),
        (event(3, removed=True), T0, "parked"),
        (event(3), T0, "cancelled"),
        (event(4), T0 + 120_000, "applied"),
        (b"{", T0, "dead_lettered"),
        (event(5, T0 + 60_001), T0, "dead_lettered"),
        (event(5, T0 + 60_000), T0, "applied"),
    ]
    assert [oracle.record(value, timestamp) for value, timestamp, _ in log] == [outcome for _, _, outcome in log]
    assert oracle.outcomes.total() == len(log)
    assert oracle.reasons == {"malformed_json": 1, "from_the_future": 1}


def test_a_window_is_never_wider_than_its_name() -> None:
    """5 m in buckets of 5 s: at T0 + 2 s it begins 4 m 55 s before T0, and the bucket of now is counted whole."""
    oracle = Oracle()
    edges = [T0 - 295_001, T0 - 295_000, T0 - 1, T0, T0 + 4_999, T0 + 5_000]
    oracle.records((event(n, time_ms), time_ms) for n, time_ms in enumerate(edges))
    window = oracle.stats("1:0xaa", T0 + 2_000)["windows"]["5m"]
    assert (window["from_ms"], window["trades"]) == (T0 - 295_000, 4)


def test_sums_and_prices_by_hand() -> None:
    oracle = Oracle()
    swaps = [(T0 - 600_000, "buy", "1", "3"), (T0 - 20_000, "sell", "4", "10"), (T0, "buy", "0.5", "1.0000005")]
    oracle.records(
        (event(n, time_ms, side=side, amount_token=amount, amount_usd=usd), time_ms)
        for n, (time_ms, side, amount, usd) in enumerate(swaps)
    )
    stats = oracle.stats("1:0xaa", T0)
    assert stats["price_usd"] == "2.000000"  # 1.000000 (half-even) for 0.5, shown in eight digits
    assert stats["windows"]["5m"] == {
        "from_ms": T0 - 295_000,
        "volume_usd": "11.000000",
        "buy_volume_usd": "1.000000",
        "sell_volume_usd": "10.000000",
        "volume_token": "4.500000000000000000",
        "trades": 2,
        "buys": 1,
        "sells": 1,
        "vwap_usd": "2.444444",
        "price_change_pct": "-20.00",
    }
    assert stats["windows"]["1h"]["price_change_pct"] == "-33.33"


def test_the_newest_price_comes_from_the_finest_width_that_still_holds_one() -> None:
    oracle = Oracle()
    oracle.record(event(1, T0, amount_usd="3", amount_token="1"), T0)
    oracle.record(event(2, T0 + 30_000, amount_usd="9", amount_token="1"), T0 + 30_000)
    assert oracle.stats("1:0xaa", T0 + 60_000)["price_usd"] == "9.000000"
    assert oracle.stats("1:0xaa", T0 + 1_800_000)["price_usd"] == "6.000000"
    assert oracle.stats("1:0xaa", T0 + 90_000_000)["price_usd"] is None


@pytest.mark.parametrize(("policy", "trades"), [("drop", 0), ("apply", 1)])
def test_the_late_policy(policy: str, trades: int) -> None:
    oracle = Oracle(late_policy=policy)
    assert oracle.record(event(1), T0 + 200_000) == "late"
    assert oracle.stats("1:0xaa", T0 + 200_000)["windows"]["5m"]["trades"] == trades
