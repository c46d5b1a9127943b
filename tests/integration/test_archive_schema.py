"""The archive's tables: created, brought up to date, checked; on one server and as a cluster would be told."""

from functools import partial

import pytest
from django.core.management import CommandError, call_command

from settings.config import Config
from swapstats.adapters.clickhouse import schema as module
from swapstats.adapters.clickhouse.connection import Connection, database_of
from swapstats.adapters.clickhouse.schema import Deployment, Migration, Schema, engine, migrations
from swapstats.domain.errors import ArchiveError, ArchiveUnavailable

pytestmark = pytest.mark.clickhouse

ONE_SERVER = Deployment(cluster="", storage_policy="", hot_days=90, delete_days=365)
CLUSTER = ONE_SERVER._replace(cluster="main", storage_policy="hot_to_s3")
NAMES = ["raw_swaps", "candles", "missing_offsets", "finer_candles", "drop_coarse_candles"]
TABLES = {
    "raw_swaps",
    "rejected_records",
    "minute_candles",
    "hour_candles",
    "day_candles",
    "candle_progress",
    "log_incarnations",
    "missing_offsets",
    "schema_migrations",
}


@pytest.fixture
def opened(clickhouse):
    def connect(database):
        return Connection(clickhouse, database=database)

    return partial(Schema, connect, database_of(clickhouse))


@pytest.fixture
def query(clickhouse):
    with Connection(clickhouse) as connection:
        yield connection.query


def test_migrating_creates_everything_once(opened, query):
    with opened(ONE_SERVER) as schema:
        assert [change.version for change in schema.pending()] == [1, 2, 3, 4, 5]
        assert [change.name for change in schema.migrate()] == NAMES
        assert schema.pending() == schema.migrate() == []
        assert schema.newest == 5
    assert {row[0] for row in query("SHOW TABLES")} == TABLES


def test_an_interrupted_migration_is_taken_up_again(opened, query):
    with opened(ONE_SERVER) as schema:
        schema.migrate()
        query("TRUNCATE TABLE schema_migrations")
        assert len(schema.pending()) == 5
        schema.migrate()
        assert schema.pending() == []


def test_a_migration_that_reads_otherwise_than_when_applied_is_an_error(opened, monkeypatch):
    with opened(ONE_SERVER) as schema:
        schema.migrate()
        first, *others = migrations()
        monkeypatch.setattr(module, "migrations", lambda: [first._replace(sql=first.sql + "\n"), *others])
        with pytest.raises(ArchiveError, match=r"migration 1 .* was changed"):
            schema.pending()


def test_a_later_version_adds_to_what_is_there(opened, query, monkeypatch):
    with opened(ONE_SERVER) as schema:
        schema.migrate()
        later = Migration(6, "note", "ALTER TABLE day_candles ADD COLUMN IF NOT EXISTS note String; -- why\n-- end;\n")
        monkeypatch.setattr(module, "migrations", lambda: [*migrations(), later])
        assert [change.name for change in schema.migrate()] == ["note"]
    assert query("SELECT name FROM schema_migrations FINAL ORDER BY version") == [
        *((name,) for name in NAMES),
        ("note",),
    ]
    query("SELECT note FROM day_candles")


def ttl(query):
    return query("SELECT engine_full FROM system.tables WHERE database = currentDatabase() AND name = 'raw_swaps'")[0][
        0
    ]


def test_retention_follows_the_configuration(opened, query):
    with opened(ONE_SERVER) as schema:
        schema.migrate()
        assert not schema.apply_retention()
    assert "toDate(archived_at) + toIntervalDay(365)" in ttl(query)
    with opened(ONE_SERVER._replace(delete_days=36)) as schema:
        assert schema.apply_retention()
        assert not schema.apply_retention()
    assert "toDate(archived_at) + toIntervalDay(36)" in ttl(query)


def test_a_policy_that_the_server_does_not_have_is_done_without(opened, query, caplog):
    with opened(ONE_SERVER._replace(storage_policy="hot_to_s3")) as schema:
        schema.migrate()
        assert not schema.is_tiered()
    assert "TO VOLUME" not in ttl(query)
    assert "no storage policy hot_to_s3" in caplog.text


def test_what_a_cluster_is_told_is_sql(opened, query, monkeypatch):
    with opened(ONE_SERVER) as schema:
        schema.migrate()
    monkeypatch.setattr(Schema, "_has_policy", lambda self: True)
    with opened(CLUSTER) as schema:
        statements = [schema._fill(part) for migration in migrations() for part in migration.statements]
    for statement in statements:
        text = query("SELECT formatQuerySingleLine(%(sql)s)", {"sql": statement})[0][0]
        assert " ON CLUSTER main" in text
        assert "ENGINE = Replicated" in text or not text.startswith("CREATE")
    assert "storage_policy = 'hot_to_s3'" in statements[0]


def test_engines_have_replicated_siblings():
    path = "'/clickhouse/tables/{shard}/{database}/{table}', '{replica}'"
    assert engine("MergeTree", replicated=False) == "MergeTree"
    assert engine("MergeTree", replicated=True) == f"ReplicatedMergeTree({path})"
    assert engine("ReplacingMergeTree(records)", replicated=True) == f"ReplicatedReplacingMergeTree({path}, records)"


@pytest.fixture
def configured(clickhouse, monkeypatch):
    config = Config(stores={"clickhouse": {"dsn": clickhouse}})
    monkeypatch.setattr("aggregator.management.commands.archive_schema.load_config", lambda: config)


def test_the_command_migrates_and_checks(configured, capsys):
    with pytest.raises(CommandError, match="not up to date"):
        call_command("archive_schema", "--check")
    assert "missing 0001 raw_swaps" in capsys.readouterr().out
    call_command("archive_schema")
    assert "applied 0002 candles" in capsys.readouterr().out
    call_command("archive_schema", "--check")
    assert "up to date at version 5" in capsys.readouterr().out


def test_nobody_there_is_told(monkeypatch):
    nowhere = partial(Connection, "clickhouse://127.0.0.1:1/swaps")
    with Schema(lambda database: nowhere(database=database), "swaps", ONE_SERVER) as schema:
        with pytest.raises(ArchiveUnavailable):
            schema.pending()
        with pytest.raises(ArchiveUnavailable):
            schema.migrate()
