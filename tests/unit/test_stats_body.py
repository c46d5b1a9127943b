"""The stats answer, field by field as CONTRACT §3 has it."""

import msgspec
import pytest

from realtime.stats_body import rfc3339, stats_body
from realtime.token_view import TokenView
from swapstats.domain.stats import EMPTY_WINDOW, Edge, Part, WindowPart
from swapstats.domain.window import Window

WINDOWS = (Window("5m", 300_000, 5_000), Window("1h", 3_600_000, 60_000), Window("24h", 86_400_000, 60_000))
AS_OF_MS = 1_795_334_401_234  # 2026-11-22T08:00:01.234Z
USD, TOKEN = 10**6, 10**18


def part() -> Part:
    newest = Edge(AS_OF_MS - 1_234, 5_000, 3 * USD, 2 * TOKEN)
    recent = WindowPart(10 * USD, 5 * USD + 1, 4 * TOKEN, 7, 3, Edge(AS_OF_MS - 200_000, 5_000, 2 * USD, TOKEN))
    day = WindowPart(10**30, 0, 10**40, 10**6, 0, Edge(AS_OF_MS - 80_000_000, 60_000, USD, 2 * TOKEN))
    return Part("USDC", AS_OF_MS - 334, newest, (recent, recent, day))


def view(of: Part, complete_since_ms: int = 0) -> TokenView:
    return TokenView("1:0xa0b8", of.symbol, AS_OF_MS, "9f3c", 1234, of, complete_since_ms, 0, WINDOWS, known=True)


def test_the_whole_answer() -> None:
    body = stats_body(view(part()), 2, ["5m"])
    assert list(body) == ["token", "as_of", "last_event_at", "price_usd", "epoch", "seq", "windows"]
    assert msgspec.json.decode(msgspec.json.encode(body)) == {
        "token": {"id": "1:0xa0b8", "chain_id": 1, "address": "0xa0b8", "symbol": "USDC", "symbol_matches": 2},
        "as_of": "2026-11-22T08:00:01.234Z",
        "last_event_at": "2026-11-22T08:00:00.900Z",
        "price_usd": body["price_usd"],
        "epoch": "9f3c",
        "seq": 1234,
        "windows": {
            "5m": {
                "from": "2026-11-22T07:55:05Z",
                "to": "2026-11-22T08:00:01.234Z",
                "volume_usd": "15.000001",
                "buy_volume_usd": "10.000000",
                "sell_volume_usd": "5.000001",
                "volume_token": "4.000000000000000000",
                "trades": 10,
                "buys": 7,
                "sells": 3,
                "vwap_usd": body["windows"]["5m"]["vwap_usd"],
                "price_change_pct": "-25.00",
            }
        },
    }
    assert float(body["price_usd"]) == 1.5
    assert float(body["windows"]["5m"]["vwap_usd"]) == pytest.approx(3.75)


def test_all_windows_in_their_order() -> None:
    windows = stats_body(view(part()), 1)["windows"]
    assert list(windows) == ["5m", "1h", "24h"]
    assert (windows["1h"]["from"], windows["24h"]["from"]) == ("2026-11-22T07:01:00Z", "2026-11-21T08:01:00Z")
    assert windows["24h"]["volume_usd"] == f"{10**24}.000000"
    assert windows["24h"]["price_change_pct"] == "200.00"


def test_a_token_without_swaps_has_zeros_and_no_price() -> None:
    body = stats_body(view(Part(None, 0, None, (EMPTY_WINDOW,) * 3)), 0)
    assert (body["last_event_at"], body["price_usd"], body["token"]["symbol"]) == (None, None, None)
    window = body["windows"]["5m"]
    assert (window["volume_usd"], window["volume_token"], window["trades"]) == ("0.000000", "0.000000000000000000", 0)
    assert (window["vwap_usd"], window["price_change_pct"]) == (None, None)


def test_an_address_may_contain_anything() -> None:
    body = stats_body(view(part())._replace(token_id="501:So11:1/ä"), 1)
    assert (body["token"]["chain_id"], body["token"]["address"]) == (501, "So11:1/ä")


def test_it_says_since_when_the_windows_are_complete_where_one_reaches_further_back() -> None:
    an_hour_ago = AS_OF_MS - 3_600_000
    assert stats_body(view(part(), an_hour_ago), 1)["complete_since"] == rfc3339(an_hour_ago)
    assert "complete_since" not in stats_body(view(part(), an_hour_ago), 1, ["5m", "1h"])


def test_times_show_milliseconds_where_there_are_any() -> None:
    assert rfc3339(AS_OF_MS) == "2026-11-22T08:00:01.234Z"
    assert rfc3339(AS_OF_MS - 234) == "2026-11-22T08:00:01Z"
    assert rfc3339(7) == "1970-01-01T00:00:00.007Z"
