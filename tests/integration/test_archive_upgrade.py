"""An archive that an earlier version filled, brought up to date: nothing that it knew is lost or told twice."""

import random
from functools import partial

import pytest

from swapstats.adapters.clickhouse import schema as schema_module
from swapstats.adapters.clickhouse import swap_archive
from swapstats.adapters.clickhouse.connection import Connection, database_of
from swapstats.adapters.clickhouse.history import ClickHouseHistory
from swapstats.adapters.clickhouse.pool import Pool
from swapstats.adapters.clickhouse.schema import Deployment, Schema, migrations
from swapstats.adapters.clickhouse.swap_archive import ClickHouseArchive
from swapstats.domain.errors import ArchiveError
from swapstats.ports.swap_archive import Interval
from tests.integration import archive_model as model
from tests.integration.archive_model import SOURCE, TOKENS

pytestmark = pytest.mark.clickhouse

UNTIERED = Deployment(cluster="", storage_policy="", hot_days=90, delete_days=365)
FORMER = {"minute_candles": "swap_minutes", "hour_candles": "swap_hours", "day_candles": "swap_days"}


@pytest.fixture
def schema(clickhouse):
    with Schema(lambda name: Connection(clickhouse, database=name), database_of(clickhouse), UNTIERED) as schema:
        yield schema


@pytest.fixture
def history(clickhouse):
    history = ClickHouseHistory(Pool(partial(Connection, clickhouse), 1, 5))
    yield history
    history.close()


@pytest.fixture
def former(clickhouse, schema, monkeypatch):
    """An archiver that knows migrations up to 3, and the tables that it made."""
    with monkeypatch.context() as patched:
        patched.setattr(schema_module, "migrations", lambda: migrations()[:3])
        schema.migrate()
    archive = Former(Connection(clickhouse))
    yield archive
    archive.close()


class Former(ClickHouseArchive):
    def _compute(self, source, stretches, reach):
        current = swap_archive._CANDLES
        swap_archive._CANDLES = tuple(map(_with_former_names, current))
        try:
            super()._compute(source, stretches, reach)
        finally:
            swap_archive._CANDLES = current


def _with_former_names(statement: str) -> str:
    for name, former in FORMER.items():
        statement = statement.replace(name, former)
    return statement


def assert_candles(history, rows):
    for token in TOKENS:
        for interval in Interval:
            for late in (True, False):
                found = history.candles(token, interval, 0, 10**13, late)
                assert model.ratios(found) == model.ratios(model.candles(rows, token, interval, late=late))


def test_candles_of_an_earlier_version_move_over_and_go_on(former, schema, history, clickhouse):
    rows = model.random_log(random.Random(4), 120, partitions=1)
    early, late = rows[:90], rows[90:]
    former.insert(SOURCE, early[:50])
    former.refresh(SOURCE, {0: 50})
    former.insert(SOURCE, early[50:])
    former.refresh(SOURCE, {0: 90})
    assert [change.version for change in schema.migrate()] == [4, 5]
    assert_candles(history, early)
    with Connection(clickhouse) as connection:
        archive = ClickHouseArchive(connection)
        archive.insert(SOURCE, late)
        archive.refresh(SOURCE, {0: len(rows)})
        assert_candles(history, rows)
        for table in FORMER:
            connection.query(f"OPTIMIZE TABLE {table} FINAL")
    assert_candles(history, rows)


@pytest.mark.parametrize("last", [4, 5])
def test_an_earlier_archiver_that_still_runs_is_refused_and_loses_nothing(
    former, schema, history, clickhouse, monkeypatch, last
):
    rows = model.random_log(random.Random(6), 60, partitions=1)
    former.insert(SOURCE, rows[:40])
    former.refresh(SOURCE, {0: 40})
    with monkeypatch.context() as patched:
        patched.setattr(schema_module, "migrations", lambda: migrations()[:last])
        schema.migrate()
    former.insert(SOURCE, rows[40:])
    with pytest.raises(ArchiveError):
        former.refresh(SOURCE, {0: len(rows)})
    with Connection(clickhouse) as connection:
        ClickHouseArchive(connection).refresh(SOURCE, {0: len(rows)})
    assert_candles(history, rows)


def test_a_move_that_was_interrupted_and_is_done_again_changes_nothing(former, schema, history, clickhouse):
    rows = model.random_log(random.Random(8), 60, partitions=1)
    former.insert(SOURCE, rows)
    former.refresh(SOURCE, {0: len(rows)})
    (move,) = (migration for migration in migrations() if migration.name == "finer_candles")
    for statement in move.statements:
        schema._run(statement)
    assert len(schema.migrate()) == 2
    assert_candles(history, rows)
