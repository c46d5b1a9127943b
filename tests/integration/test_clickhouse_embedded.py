"""clickhouse-driver, unmodified, against the engine behind our side of the native protocol."""

import uuid
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest
from clickhouse_driver import Client
from clickhouse_driver.errors import NetworkError, ServerException, SocketTimeoutError

from swapstats.adapters.embedded.clickhouse.process import ClickHouseServer
from swapstats.domain.errors import PartError
from tests.parts.clickhouse import need_engine

pytestmark = pytest.mark.clickhouse

COLUMNS = {
    "a": "UInt64",
    "b": "String",
    "c": "LowCardinality(String)",
    "d": "LowCardinality(Nullable(String))",
    "e": "Nullable(String)",
    "f": "Array(Array(String))",
    "g": "Decimal(38, 6)",
    "h": "UUID",
    "i": "DateTime64(3, 'UTC')",
    "j": "FixedString(4)",
    "k": "Int256",
    "l": "Bool",
    "m": "Enum8('x' = 1, 'y' = 2)",
}


def row(i: int) -> tuple:
    low = None if i % 2 else f"n{i % 300}"
    nested = [["a", "b"], [], ["c" * i]]
    moment = datetime(2024, 1, 1, microsecond=i * 1000, tzinfo=UTC)
    amount = Decimal(i) * Decimal("1.5")
    numbers = (amount, uuid.UUID(int=i), moment, "abcd", -(10**50) * i, bool(i % 2), "xy"[i % 2])
    return (i, str(i), f"lc{i % 3}", low, None if i % 3 else "z", nested, *numbers)


@pytest.fixture(params=["", "?compression=lz4"], ids=["plain", "lz4"])
def client(request, clickhouse_server):
    with Client.from_url(f"{clickhouse_server}/default{request.param}") as client:
        yield client


@pytest.fixture
def table(client):
    name = f"t{uuid.uuid4().hex[:8]}"
    columns = ", ".join(f"{name} {kind}" for name, kind in COLUMNS.items())
    computed = "next UInt64 ALIAS a + 1, after UInt64 MATERIALIZED a + 2"
    client.execute(
        f"CREATE TABLE {name} ({columns}, {computed}) ENGINE = MergeTree ORDER BY a "
        "SETTINGS non_replicated_deduplication_window = 100"
    )
    yield name
    client.execute(f"DROP TABLE {name}")


def test_a_result_brings_its_columns(client):
    answer = client.execute("SELECT 1 AS one, 'a' AS letter, [1, 2] AS list", with_column_types=True)
    assert answer == ([(1, "a", [1, 2])], [("one", "UInt8"), ("letter", "String"), ("list", "Array(UInt8)")])


COLUMN_TYPES = [
    ("(1, 'a', [2])", "Tuple(UInt8, String, Array(UInt8))"),
    ("CAST((1, 'a'), 'Tuple(x UInt8, y String)')", "Tuple(x UInt8, y String)"),
    ("map('a', 1)", "Map(String, UInt8)"),
    ("toLowCardinality('a')", "LowCardinality(String)"),
    ("toInt256(7)", "Int256"),
    ("NULL", "Nullable(Nothing)"),
    ("toFixedString('ab', 2)", "FixedString(2)"),
]


@pytest.mark.parametrize(("expression", "kind"), COLUMN_TYPES)
def test_columns_of_any_type_are_named(client, expression, kind):
    _, columns = client.execute(f"SELECT {expression} AS a, 'end' AS b", with_column_types=True)
    assert columns == [("a", kind), ("b", "String")]


def test_an_empty_result_brings_its_columns_too(client):
    assert client.execute("SELECT 1 AS one WHERE 0", with_column_types=True) == ([], [("one", "UInt8")])


@pytest.mark.parametrize("block_rows", [7, 1000, 100_000])
def test_what_is_inserted_comes_back(client, table, block_rows):
    rows = [row(i) for i in range(1000)]
    assert client.execute(f"INSERT INTO {table} VALUES", list(rows), settings={"insert_block_size": block_rows}) == 1000
    assert client.execute(f"SELECT * FROM {table} ORDER BY a") == rows


def test_named_columns_leave_the_others_at_their_defaults(client, table):
    client.execute(f"INSERT INTO {table} (a, b) VALUES", [(5, "five")])
    assert client.execute(f"SELECT a, b, c, l, next, after FROM {table}") == [(5, "five", "", False, 6, 7)]


def test_columns_are_taken_as_columns(client, table):
    columns = [list(range(3)), ["x", "y", "z"]]
    assert client.execute(f"INSERT INTO {table} (a, b) VALUES", columns, columnar=True) == 3
    assert client.execute(f"SELECT a, b FROM {table} ORDER BY a", columnar=True) == [(0, 1, 2), ("x", "y", "z")]


def test_nothing_is_inserted_from_no_rows(client, table):
    assert client.execute(f"INSERT INTO {table} (a) VALUES", []) == 0
    assert client.execute(f"SELECT count() FROM {table}") == [(0,)]


def test_a_block_with_a_known_token_is_dropped(client, table):
    for token in ("one", "one", "two"):
        client.execute(f"INSERT INTO {table} (a) VALUES", [(1,)], settings={"insert_deduplication_token": token})
    assert client.execute(f"SELECT count() FROM {table}") == [(2,)]


def test_settings_hold_for_their_query_alone(client):
    threads = "SELECT getSetting('max_threads')"
    usual = client.execute(threads)
    assert client.execute(threads, settings={"max_threads": 7}) == [(7,)]
    assert client.execute(threads) == usual


def test_an_unknown_setting_is_ignored_unless_it_is_important(client, clickhouse_server):
    assert client.execute("SELECT 1", settings={"no_such_setting": 1}) == [(1,)]
    strict = Client.from_url(f"{clickhouse_server}/default?settings_is_important=1")
    with strict, pytest.raises(ServerException, match="Unknown setting"):
        strict.execute("SELECT 1", settings={"no_such_setting": 1})


@pytest.mark.parametrize(
    ("query", "data", "code"),
    [
        ("SELEC", None, 47),
        ("SELECT throwIf(number > 100000) FROM numbers(200000)", None, 395),
        ("SELECT sum(sleepEachRow(0.5)) FROM numbers(100)", None, 159),
        ("INSERT INTO no_such_table VALUES", [(1,)], 60),
        ("INSERT INTO default.no_such_table (a) VALUES", [(1,)], 60),
    ],
)
def test_an_error_keeps_its_code_and_the_client_goes_on(client, query, data, code):
    settings = {"max_execution_time": 1, "function_sleep_max_microseconds_per_block": 10**9}
    with pytest.raises(ServerException) as raised:
        client.execute(query, data, settings=settings)
    assert raised.value.code == code
    assert client.execute("SELECT 2") == [(2,)]


def test_a_constraint_refuses_the_whole_block(client, table):
    client.execute(f"ALTER TABLE {table} ADD CONSTRAINT small CHECK a < 10")
    with pytest.raises(ServerException) as raised:
        client.execute(f"INSERT INTO {table} (a) VALUES", [(1,), (11,)])
    assert raised.value.code == 469
    assert client.execute(f"SELECT count() FROM {table}") == [(0,)]


def test_a_type_that_cannot_be_told_apart_is_refused(client):
    name = f"t{uuid.uuid4().hex[:8]}"
    client.execute(f"CREATE TABLE {name} (a Map(String, UInt8)) ENGINE = Memory")
    with pytest.raises(ServerException, match="cannot read a column of type Map"):
        client.execute(f"INSERT INTO {name} VALUES", [({"x": 1},)])
    client.execute(f"DROP TABLE {name}")


def test_large_results_are_streamed_and_may_be_left(client):
    rows = client.execute_iter("SELECT number FROM numbers(1000000000)", settings={"max_block_size": 10_000})
    assert [next(rows) for _ in range(30_000)][-1] == (29_999,)
    client.disconnect()
    assert client.execute("SELECT count() FROM numbers(3000000)") == [(3_000_000,)]


def test_many_small_blocks_make_one_result(client):
    query = "SELECT number FROM numbers(100) UNION ALL SELECT 100"
    assert sorted(client.execute(query, settings={"max_block_size": 7})) == [(i,) for i in range(101)]


@pytest.mark.parametrize(
    "query", ["SHOW DATABASES", "EXPLAIN SELECT 1", "EXISTS TABLE system.one", "DESCRIBE system.one"]
)
def test_statements_that_are_no_select_answer_too(client, query):
    assert client.execute(query)


def test_an_unknown_database_is_refused_at_the_door(clickhouse_server):
    with Client.from_url(f"{clickhouse_server}/nowhere") as client, pytest.raises(ServerException) as raised:
        client.execute("SELECT 1")
    assert raised.value.code == 81


def test_clients_work_side_by_side(clickhouse_server):
    clients = [Client.from_url(f"{clickhouse_server}/default") for _ in range(10)]
    streams = [client.execute_iter("SELECT number FROM numbers(200000)") for client in clients]
    assert [sum(1 for _ in stream) for stream in streams] == [200_000] * 10
    for client in clients:
        client.disconnect()


def test_too_many_clients_are_refused(own_clickhouse):
    address = own_clickhouse.dsn("default")
    clients = [Client.from_url(address) for _ in range(64)]
    for client in clients:
        client.execute("SELECT 1")
    with Client.from_url(address) as one_more, pytest.raises(ServerException, match="too many clients"):
        one_more.execute("SELECT 1")
    clients[0].disconnect()


def test_acknowledged_rows_survive_a_kill(own_clickhouse):
    with Client.from_url(own_clickhouse.dsn("default")) as client:
        client.execute("CREATE TABLE t (a UInt64) ENGINE = MergeTree ORDER BY a")
        for start in range(0, 1000, 100):
            client.execute("INSERT INTO t VALUES", [(i,) for i in range(start, start + 100)])
        own_clickhouse.kill()
        with pytest.raises((NetworkError, EOFError, ConnectionError)):
            client.execute("SELECT 1")
        own_clickhouse.start()
        assert client.execute("SELECT count(), sum(a) FROM t") == [(1000, 499_500)]


def test_a_stopped_engine_keeps_a_client_waiting_no_longer_than_it_wants(own_clickhouse):
    with Client.from_url(own_clickhouse.dsn("default") + "&send_receive_timeout=1&sync_request_timeout=1") as client:
        client.execute("SELECT 1")
        own_clickhouse.pause()
        with pytest.raises((SocketTimeoutError, NetworkError, EOFError, TimeoutError)):
            client.execute("SELECT 1")
        own_clickhouse.resume()
        assert client.execute("SELECT 1") == [(1,)]


def test_one_process_owns_a_directory(own_clickhouse):
    with pytest.raises(PartError, match="already running"):
        ClickHouseServer(own_clickhouse.directory).start()


def test_it_ends_in_good_order_with_clients_connected(tmp_path: Path):
    need_engine()
    server = ClickHouseServer(tmp_path / "data").start()
    with Client.from_url(server.dsn("default")) as client:
        client.execute("SELECT 1")
        server.stop()
    assert server.process.exit_code == 0
