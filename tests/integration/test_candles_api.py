"""History over HTTP, from a real ClickHouse engine."""

import json
import time
from functools import partial

import pytest
from django.test import Client

from api.history import answers, views
from api.history.closed import ClosedCandles
from swapstats.adapters.clickhouse.connection import Connection, database_of
from swapstats.adapters.clickhouse.history import ClickHouseHistory
from swapstats.adapters.clickhouse.pool import Pool
from swapstats.adapters.clickhouse.schema import Deployment, Schema
from swapstats.adapters.clickhouse.swap_archive import ClickHouseArchive
from tests.integration import archive_model as model
from tests.integration.archive_model import GRACE_MS, NOON_MS, SOURCE, TOKENS, make_row, make_swap
from tests.parts.live_feed import LiveFeed, traded
from tests.parts.tokens import bearer

pytestmark = pytest.mark.clickhouse

TOKEN = f"1:{TOKENS[0].address}"
NOON = "2026-09-21T12:00:00Z"
MINUTE_MS = 60_000


class Site:
    """What clients ask, and an archive and a live view to ask about."""

    def __init__(self, archive: ClickHouseArchive, feed: LiveFeed) -> None:
        self.archive = archive
        self.feed = feed
        self.client = Client(raise_request_exception=False, headers=bearer())
        self.rows = []

    def add(self, *swaps, delay_ms: int = 1000) -> None:
        rows = [make_row(len(self.rows) + i, swap, delay_ms=delay_ms) for i, swap in enumerate(swaps)]
        self.archive.insert(SOURCE, rows)
        self.rows += rows
        self.archive.refresh(SOURCE, {0: len(self.rows)})

    def get(self, path: str, expected: int = 200, **query: object):
        response = self.client.get(f"/api/tokens/{path}", query)
        assert response.status_code == expected, response.content
        return json.loads(response.content)

    def items(self, path: str, **query: object) -> list[dict]:
        return self.get(path, **query)["items"]


@pytest.fixture
def feed(monkeypatch):
    feed = LiveFeed()
    for module in ("api.views.stats", "api.views.overview", "api.views.token_list", "api.history.views"):
        monkeypatch.setattr(f"{module}.live_view", lambda: feed.view)
    feed.begin({TOKEN: traded(3, symbol="WETH")})
    return feed


@pytest.fixture
def site(clickhouse, feed, monkeypatch):
    untiered = Deployment("", "", 90, 365)
    with Schema(lambda name: Connection(clickhouse, database=name), database_of(clickhouse), untiered) as schema:
        schema.migrate()
    archive = ClickHouseArchive(Connection(clickhouse))
    history = ClickHouseHistory(Pool(partial(Connection, clickhouse), 2, 5))
    monkeypatch.setattr(views, "archive_history", lambda: history)
    monkeypatch.setattr(answers, "_closed", ClosedCandles(seconds=0, most=1))
    yield Site(archive, feed)
    archive.close()
    history.close()


def swap(minute: float = 0, usd: int = 1, **given):
    """`usd` dollars for one token."""
    time_ms = NOON_MS + int(minute * MINUTE_MS)
    return make_swap(time_ms=time_ms, amount_usd=usd * 10**6, tx_hash=f"0x{int(minute * 1000):064x}", **given)


def test_noon_is_noon():
    assert time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(NOON_MS / 1000)) == NOON


def test_a_candle_says_everything_about_its_interval(site):
    site.add(swap(0, 10), swap(0.2, 30, is_buy=False, trader=None), swap(0.4, 5), swap(0.6, 20))
    answer = site.get(f"{TOKEN}/candles", **{"from": NOON, "limit": 1})
    assert answer["token"] == {
        "id": TOKEN,
        "chain_id": 1,
        "address": TOKENS[0].address,
        "symbol": "WETH",
        "symbol_matches": 1,
    }
    assert (answer["interval"], answer["from"], answer["to"]) == ("1m", NOON, "2026-09-21T12:01:00Z")
    assert answer["items"] == [
        {
            "from": NOON,
            "to": "2026-09-21T12:01:00Z",
            "open": "10.000000",
            "high": "30.000000",
            "low": "5.000000",
            "close": "20.000000",
            "volume_usd": "65.000000",
            "buy_volume_usd": "35.000000",
            "sell_volume_usd": "30.000000",
            "volume_token": "4.000000000000000000",
            "vwap_usd": "16.250000",
            "trades": 4,
            "buys": 3,
            "sells": 1,
            "unique_traders": 1,
            "closed": True,
        }
    ]


@pytest.mark.parametrize(
    ("interval", "volumes"),
    [
        ("1m", [1, 2, 4, 8, 16, 32]),
        ("5m", [3, 4, 8, 16, 32]),
        ("15m", [7, 8, 16, 32]),
        ("1h", [15, 16, 32]),
        ("4h", [31, 32]),
        ("1d", [63]),
    ],
)
def test_every_interval_sums_what_lies_in_it(site, interval, volumes):
    site.add(*(swap(minute, 2**i) for i, minute in enumerate((0, 1, 5, 16, 60, 241))))
    items = site.items(
        f"{TOKEN}/candles", interval=interval, **{"from": "2026-09-21", "to": "2026-09-22", "limit": 1000}
    )
    assert [item["volume_usd"] for item in items] == [f"{volume}.000000" for volume in volumes][-1000:]


def test_late_swaps_count_unless_asked_not_to(site):
    site.add(swap(0, 1))
    site.add(swap(0, 2, log_index=9), delay_ms=GRACE_MS + 1)
    for path in ("candles", "daily"):
        for include, volume in ((None, "3"), ("true", "3"), ("false", "1")):
            query = {"from": NOON, "limit": 1} | ({"include_late": include} if include else {})
            assert site.items(f"{TOKEN}/{path}", **query)[0]["volume_usd"] == f"{volume}.000000"


def test_empty_candles_keep_the_price(site):
    site.add(swap(1, 7), swap(3, 9))
    items = site.items(f"{TOKEN}/candles", include_empty="true", **{"from": NOON, "limit": 5})
    assert [(item["close"], item["trades"]) for item in items] == [
        (None, 0),
        ("7.000000", 1),
        ("7.000000", 0),
        ("9.000000", 1),
        ("9.000000", 0),
    ]
    assert items[2]["open"] == items[2]["high"] == items[2]["low"] == "7.000000"
    assert items[0]["volume_usd"] == "0.000000"


def test_a_swap_without_tokens_has_no_price(site):
    site.add(swap(0, 5, amount_token=0))
    (item,) = site.items(f"{TOKEN}/candles", **{"from": NOON, "limit": 1})
    assert (item["open"], item["vwap_usd"], item["volume_usd"], item["trades"]) == (None, None, "5.000000", 1)


def test_a_retracted_swap_leaves_every_candle(site):
    site.add(swap(0, 10), swap(0.5, 20))
    site.add(swap(0.5, 20, removed=True))
    assert site.items(f"{TOKEN}/candles", **{"from": NOON, "limit": 1})[0]["high"] == "10.000000"
    site.add(swap(0, 10, removed=True))
    for interval in ("1m", "1h", "1d"):
        query = {"from": "2026-09-21", "to": "2026-09-22", "limit": 1000, "interval": interval}
        assert site.items(f"{TOKEN}/candles", **query) == []


def test_the_current_candle_is_open(site):
    now_ms = int(time.time() * 1000)
    site.add(make_swap(time_ms=now_ms))
    items = site.items(f"{TOKEN}/candles", interval="1d", limit=1)
    assert [item["closed"] for item in items] == [False]


def test_settled_candles_may_be_kept_and_others_not(site):
    site.add(swap(0, 1))
    client = site.client
    settled = client.get(f"/api/tokens/{TOKEN}/candles", {"from": NOON, "limit": 1})
    assert settled.headers["Cache-Control"] == "private, max-age=30"
    assert client.get(f"/api/tokens/{TOKEN}/candles").headers["Cache-Control"] == "private, no-cache"


@pytest.mark.parametrize(
    ("query", "ends"),
    [
        ({"from": NOON, "limit": 3}, ("12:00:00", "12:03:00")),
        ({"to": NOON, "limit": 3}, ("11:57:00", "12:00:00")),
        ({"from": "2026-09-21T12:00:59.999+00:00", "to": "2026-09-21T14:02:01+02:00"}, ("12:00:00", "12:03:00")),
        ({"from": NOON_MS, "to": NOON_MS + 10 * MINUTE_MS, "limit": 2}, ("12:08:00", "12:10:00")),
        ({"from": "2026-09-21T12:00:00+00:00", "to": NOON}, ("12:00:00", "12:00:00")),
    ],
)
def test_ends_are_whole_intervals_and_at_most_limit_of_them(site, query, ends):
    answer = site.get(f"{TOKEN}/candles", **query)
    assert (answer["from"], answer["to"]) == tuple(f"2026-09-21T{end}Z" for end in ends)


@pytest.mark.parametrize(
    ("path", "query", "named"),
    [
        ("candles", {"interval": "2m"}, "interval"),
        ("candles", {"from": "yesterday"}, "from"),
        ("candles", {"from": "2026-09-21T12:00:00"}, "from"),
        ("candles", {"to": "-5"}, "to"),
        ("candles", {"to": "3000-01-01"}, "to"),
        ("candles", {"from": "2026-09-22", "to": "2026-09-21"}, "to"),
        ("candles", {"limit": 1001}, "limit"),
        ("candles", {"include_late": "perhaps"}, "include_late"),
        ("daily", {"limit": 0}, "limit"),
        ("trades", {"limit": 1001}, "limit"),
        ("trades", {"cursor": "xyz"}, "cursor"),
        ("trades", {"cursor": "%%%"}, "cursor"),
    ],
)
def test_a_wrong_parameter_is_named(site, path, query, named):
    problem = site.get(f"{TOKEN}/{path}", 400, **query)
    assert problem["code"] == "bad_parameter"
    assert f"`{named}`" in problem["detail"]


def test_days_have_dates(site):
    site.add(swap(-24 * 60, 1), swap(0, 2))
    items = site.items(f"{TOKEN}/daily", **{"from": "2026-09-20", "to": "2026-09-22"})
    assert [(item["date"], item["volume_usd"]) for item in items] == [
        ("2026-09-20", "1.000000"),
        ("2026-09-21", "2.000000"),
    ]


def test_trades_come_newest_first_in_pages_that_meet(site):
    site.add(*(swap(minute) for minute in range(450)))
    found, query = [], {"limit": 200}
    while True:
        page = site.get(f"{TOKEN}/trades", **query)
        found += page["items"]
        if page["next_cursor"] is None:
            break
        query["cursor"] = page["next_cursor"]
    assert [trade["event_id"] for trade in found] == [
        trade.swap.event_id for trade in model.trades(site.rows, TOKENS[0])
    ]


def test_a_trade_says_everything_about_its_swap(site):
    site.add(swap(0, 3, is_buy=False), swap(1, 1, token_symbol=None, block_hash=None, block_number=None))
    site.add(swap(0, 3, is_buy=False, removed=True))
    newest, oldest = site.items(f"{TOKEN}/trades")
    assert oldest == {
        "event_id": make_swap(tx_hash="0x" + "0" * 64).event_id,
        "event_time": NOON,
        "side": "sell",
        "amount_usd": "3.000000",
        "amount_token": "1.000000000000000000",
        "price_usd": "3.000000",
        "tx_hash": "0x" + "0" * 64,
        "log_index": 3,
        "block_number": 17,
        "block_hash": "0x" + "c" * 64,
        "pool_address": "0x" + "e" * 40,
        "trader": "0x" + "f" * 40,
        "late": False,
        "retracted": True,
    }
    assert (newest["block_hash"], newest["block_number"], newest["retracted"]) == (None, None, False)


def test_a_symbol_means_the_live_token_and_an_identity_any(site):
    site.add(swap(0, 1), make_swap(TOKENS[1]))
    assert site.items("weth/trades") == site.items(f"{TOKEN.replace('aaa', 'AAA')}/trades")
    only_archived = site.get(f"1:{TOKENS[1].address}/trades")
    assert only_archived["token"]["symbol"] is None
    assert len(only_archived["items"]) == 1


@pytest.mark.parametrize("reference", ["NOSUCH", "1:0x" + "9" * 40, "x" * 300])
def test_an_unknown_token_is_not_found(site, reference):
    for path in ("candles", "trades", "daily"):
        assert site.get(f"{reference}/{path}", 404)["code"] == "token_not_found"


def test_a_known_token_without_swaps_there_has_an_empty_history(site):
    assert site.items(f"{TOKEN}/candles") == site.items(f"{TOKEN}/trades") == site.items(f"{TOKEN}/daily") == []


def test_without_its_archive_only_history_fails(feed, monkeypatch):
    nowhere = ClickHouseHistory(Pool(partial(Connection, "clickhouse://127.0.0.1:1/swaps"), 2, 1))
    monkeypatch.setattr(views, "archive_history", lambda: nowhere)
    client = Client(raise_request_exception=False, headers=bearer())
    for path in ("candles", "trades", "daily"):
        response = client.get(f"/api/tokens/{TOKEN}/{path}")
        assert response.status_code == 503
        assert json.loads(response.content)["code"] == "archive_unavailable"
        assert response.headers["Content-Type"] == "application/problem+json"
        assert response.headers["Retry-After"] == "5"
    assert client.get(f"/api/tokens/{TOKEN}/stats").status_code == 200


def test_the_schema_describes_history(client):
    paths = json.loads(client.get("/api/schema/").content)["paths"]
    for name in ("candles", "trades", "daily"):
        answers = paths[f"/api/tokens/{{reference}}/{name}"]["get"]["responses"]
        assert {"200", "400", "404", "503"} <= answers.keys()
