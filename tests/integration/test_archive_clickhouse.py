"""The archive on a real ClickHouse engine: what goes in, what comes back, and candles that know what counts."""

import random
import threading
from functools import partial

import pytest

from swapstats.adapters.clickhouse.connection import Connection, database_of
from swapstats.adapters.clickhouse.history import ClickHouseHistory
from swapstats.adapters.clickhouse.pool import Pool
from swapstats.adapters.clickhouse.schema import Deployment, Schema
from swapstats.adapters.clickhouse.swap_archive import ClickHouseArchive
from swapstats.domain.errors import ArchiveError, ArchiveRefused, ArchiveUnavailable
from swapstats.ports.swap_archive import Interval, Token
from tests.integration import archive_model as model
from tests.integration.archive_model import EXTREMES, NOON_MS, SOURCE, TOKENS, make_row, make_swap

pytestmark = pytest.mark.clickhouse

UNTIERED = Deployment(cluster="", storage_policy="", hot_days=90, delete_days=365)
ALWAYS = (-(10**15), 10**15)


@pytest.fixture
def connection(clickhouse):
    with Connection(clickhouse) as connection:
        yield connection


@pytest.fixture
def dsn(clickhouse):
    """DSN of a database with the archive's tables."""
    with Schema(
        lambda database: Connection(clickhouse, database=database), database_of(clickhouse), UNTIERED
    ) as schema:
        schema.migrate()
    return clickhouse


@pytest.fixture
def archive(dsn):
    archive = ClickHouseArchive(Connection(dsn))
    yield archive
    archive.close()


@pytest.fixture
def history(dsn):
    history = ClickHouseHistory(Pool(partial(Connection, dsn), 2, 5))
    yield history
    history.close()


def count(connection, table="raw_swaps"):
    return connection.query(f"SELECT count() FROM {table}")[0][0]


@pytest.mark.parametrize("fields", EXTREMES.values(), ids=EXTREMES.keys())
def test_whatever_is_valid_comes_back_as_it_was(archive, history, fields):
    swap = make_swap(**fields)
    token = Token(swap.chain_id, swap.token_address)
    archive.insert(SOURCE, [make_row(0, swap)])
    archive.refresh(SOURCE, {0: 1})
    assert [trade.swap for trade in history.trades(token, None, 10)] == [swap]
    assert history.candles(token, Interval.DAY, *ALWAYS, True) == model.candles(
        [make_row(0, swap)], token, Interval.DAY, late=True
    )


def test_people_see_amounts_with_their_fractions(archive, connection):
    archive.insert(SOURCE, [make_row(0, make_swap(amount_usd=1_500_000, amount_token=10**48 + 1))])
    row = connection.query("SELECT toString(amount_usd), toString(amount_token), side, event_id FROM raw_swaps")[0]
    assert row[:3] == ("1.5", "1" + "0" * 30 + "." + "0" * 17 + "1", "buy")
    assert row[3] == make_swap().event_id


def test_the_archive_knows_what_it_holds(archive):
    assert archive.highest(SOURCE, [0, 1]) == {}
    rows = [make_row(offset, make_swap(log_index=offset), partition) for partition in (0, 1) for offset in (3, 4, 9)]
    archive.insert(SOURCE, rows[:5])
    assert archive.highest(SOURCE, [0, 1, 2]) == {0: 9, 1: 4}
    assert archive.held(SOURCE, 0, 4, 100) == {4, 9}
    assert archive.held(SOURCE._replace(incarnation="two"), 0, 0, 100) == set()


def test_it_still_knows_when_the_candles_have_seen_it(archive):
    archive.insert(SOURCE, [make_row(0, make_swap()), make_row(7, make_swap(log_index=7))])
    archive.refresh(SOURCE, {0: 8})
    assert archive.highest(SOURCE, [0, 1]) == {0: 7}
    archive.insert(SOURCE, [make_row(12, make_swap(log_index=12))])
    assert archive.highest(SOURCE, [0, 1]) == {0: 12}


def test_a_block_written_again_changes_nothing(archive, connection):
    rows = [
        make_row(offset, make_swap(time_ms=NOON_MS + offset * 86_400_000, log_index=offset)) for offset in range(10)
    ]
    for _ in range(3):
        archive.insert(SOURCE, rows)
    assert count(connection) == 10


def test_a_block_may_hold_swaps_of_many_days(archive, connection):
    archive.insert(SOURCE, [make_row(day, make_swap(time_ms=day * 86_400_000, log_index=day)) for day in range(300)])
    assert count(connection) == 300


@pytest.mark.parametrize("fields", [{"event_time_ms": 4_260_211_200_000}, {"block_number": -1}, {"tx_hash": "\ud800"}])
def test_what_can_never_be_stored_is_refused_whole(archive, connection, fields):
    with pytest.raises(ArchiveRefused):
        archive.insert(SOURCE, [make_row(0, make_swap()), make_row(1, make_swap(**fields))])
    assert count(connection) == 0
    archive.insert(SOURCE, [make_row(0, make_swap())])
    assert count(connection) == 1


def test_a_row_put_aside_counts_as_held(archive, connection):
    row = make_row(5, make_swap(token_symbol="漢"))
    archive.reject(SOURCE, row, "no reason")
    assert archive.held(SOURCE, 0, 0, 10) == {5}
    event, error = connection.query("SELECT event, error FROM rejected_records")[0]
    assert '"token_symbol":"漢"' in event
    assert error == "no reason"


def test_nobody_there_means_unavailable():
    with Connection("clickhouse://127.0.0.1:1/swaps") as connection, pytest.raises(ArchiveUnavailable):
        connection.query("SELECT 1")


def test_a_missing_table_is_no_fault_of_the_rows(clickhouse):
    archive = ClickHouseArchive(Connection(clickhouse))
    with pytest.raises(ArchiveError) as raised:
        archive.insert(SOURCE, [make_row(0, make_swap())])
    assert not isinstance(raised.value, ArchiveRefused)


def written(rows):
    return {
        partition: 1 + max(row.offset for row in rows if row.partition == partition)
        for partition in {r[0] for r in rows}
    }


def assert_candles(history, rows):
    for token in TOKENS:
        for interval in Interval:
            for late in (True, False):
                found = history.candles(token, interval, *ALWAYS, late)
                assert model.ratios(found) == model.ratios(model.candles(rows, token, interval, late=late))


@pytest.mark.parametrize("seed", range(3))
def test_candles_equal_the_definition_whatever_comes_and_however_often(archive, history, seed):
    dice = random.Random(seed)
    rows = model.random_log(dice, 150)
    start = 0
    while start < len(rows):
        end = start + dice.randint(1, 60)
        archive.insert(SOURCE, rows[start:end])
        if dice.random() < 0.3:  # a zombie writes some of it again, in another block
            archive.insert(SOURCE, rows[dice.randint(0, start) : end][-40:])
        if dice.random() < 0.6:
            archive.refresh(SOURCE, written(rows[:end]))
        start = end
    archive.refresh(SOURCE, written(rows))
    assert_candles(history, rows)


def test_candles_computed_by_several_at_once_are_the_same(dsn, history):
    rows = model.random_log(random.Random(7), 200, partitions=4)
    failures = []

    def run(partition):
        archive = ClickHouseArchive(Connection(dsn))
        mine = [row for row in rows if row.partition == partition]
        try:
            for start in range(0, len(mine), 40):
                archive.insert(SOURCE, mine[start : start + 40])
                archive.refresh(SOURCE, written(mine[: start + 40]))
        except Exception as error:
            failures.append(error)
            raise
        finally:
            archive.close()

    threads = [threading.Thread(target=run, args=(partition,)) for partition in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
    assert_candles(history, rows)


def test_a_refresh_takes_a_long_way_in_steps(archive, history, monkeypatch):
    monkeypatch.setattr("swapstats.adapters.clickhouse.swap_archive.REFRESH_OFFSETS", 30)
    rows = model.random_log(random.Random(3), 100, partitions=1)
    archive.insert(SOURCE, rows)
    steps = 1
    while not archive.refresh(SOURCE, written(rows)):
        steps += 1
    assert steps == -(-len(rows) // 30)
    assert_candles(history, rows)


def test_candles_outlive_the_records_they_came_from(archive, history, connection):
    rows = [make_row(offset, make_swap(log_index=offset)) for offset in range(5)]
    archive.insert(SOURCE, rows)
    archive.refresh(SOURCE, {0: 5})
    connection.query("TRUNCATE TABLE raw_swaps")
    archive.insert(SOURCE, [make_row(5, make_swap(log_index=5))])
    archive.refresh(SOURCE, {0: 6})
    assert history.candles(TOKENS[0], Interval.DAY, *ALWAYS, True)[0].swaps == 5


def test_candles_are_cut_where_asked(archive, history):
    rows = [make_row(i, make_swap(time_ms=NOON_MS + i * 60_000, log_index=i)) for i in range(10)]
    archive.insert(SOURCE, rows)
    archive.refresh(SOURCE, {0: 10})
    found = history.candles(TOKENS[0], Interval.MINUTE, NOON_MS + 120_000, NOON_MS + 240_000, True)
    assert [candle.start_ms for candle in found] == [NOON_MS + 120_000, NOON_MS + 180_000]


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("page", [1, 7, 1000])
def test_trades_come_in_pages_without_repetition_or_hole(archive, history, seed, page):
    rows = model.random_log(random.Random(seed), 60)
    archive.insert(SOURCE, rows)
    for token in TOKENS:
        found, before = [], None
        while batch := history.trades(token, before, page):
            assert len(batch) <= page
            found += batch
            before = batch[-1].key
        assert found == model.trades(rows, token)


def test_a_page_of_trades_is_found_behind_many_copies(archive, history):
    first, second = make_swap(log_index=1), make_swap(log_index=2)
    rows = [make_row(offset, second) for offset in range(3000)] + [make_row(3000, first)]
    archive.insert(SOURCE, rows)
    assert [trade.swap for trade in history.trades(TOKENS[0], None, 2)] == [second, first]


def test_a_full_pool_says_so(clickhouse):
    pool = Pool(partial(Connection, clickhouse), 1, 0.01)
    with pool.connection(), pytest.raises(ArchiveUnavailable, match="busy"), pool.connection():
        pass
