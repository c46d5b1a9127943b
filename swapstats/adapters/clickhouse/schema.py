"""The archive's tables: versioned SQL, applied in order and recorded, and the retention that the configuration says.

In the SQL files `{on_cluster}`, `{engine:MergeTree}` and `{storage_policy}` stand for what depends on the deployment,
and `{caught_up:table}` for a statement that waits, on a cluster, until every server has all of a table.
"""

import hashlib
import logging
import re
from collections.abc import Callable, Iterator
from importlib import resources
from typing import NamedTuple, Self

from swapstats.adapters.clickhouse.connection import Connection
from swapstats.domain.errors import ArchiveError

COLD_VOLUME = "cold"
DDL_SETTINGS = {"distributed_ddl_task_timeout": 120, "alter_sync": 2}

_PLACEHOLDER = re.compile(r"\{(on_cluster|storage_policy|engine|caught_up):?([^}]*)\}")
_FILE_NAME = re.compile(r"(\d{4})_(\w+)\.sql")
_STATEMENT_END = re.compile(r";\s*$", re.MULTILINE)
_COMMENT = re.compile(r"^\s*--.*$", re.MULTILINE)

_LEDGER = """
CREATE TABLE IF NOT EXISTS schema_migrations {on_cluster}
(
    version UInt32,
    name String,
    checksum String,
    applied_at DateTime64(3, 'UTC') DEFAULT now64(3)
)
ENGINE = {engine:ReplacingMergeTree(applied_at)}
ORDER BY version
"""

log = logging.getLogger(__name__)


class Deployment(NamedTuple):
    """What the tables depend on: the cluster to create them on ("" for one server), the storage policy with a
    volume `cold` ("" for none), and after how many days rows move there and are deleted."""

    cluster: str
    storage_policy: str
    hot_days: int
    delete_days: int


class Migration(NamedTuple):
    version: int
    name: str
    sql: str

    @property
    def checksum(self) -> str:
        return hashlib.sha256(self.sql.encode()).hexdigest()

    @property
    def statements(self) -> list[str]:
        parts = (part.strip() for part in _STATEMENT_END.split(_COMMENT.sub("", self.sql)))
        return [part for part in parts if part]


def migrations() -> list[Migration]:
    """All that this version of swapstats knows, in order."""
    return sorted(_read())


def _read() -> Iterator[Migration]:
    for file in resources.files(__package__).joinpath("migrations").iterdir():
        if match := _FILE_NAME.fullmatch(file.name):
            yield Migration(int(match[1]), match[2], file.read_text(encoding="utf-8"))


class Schema:
    """The tables of one database. Every call may raise ArchiveError."""

    def __init__(self, connect: Callable[[str], Connection], database: str, deployment: Deployment) -> None:
        """`connect` opens a connection to a database by name; `default` is one that always exists."""
        self._connect = connect
        self._database = database
        self._deployment = deployment
        self._server = connect(database)

    def migrate(self) -> list[Migration]:
        """Creates the database if need be, applies what is missing and the retention; what it applied.

        A migration that was interrupted is applied again: each statement leaves alone what is there already.
        """
        self._create_database()
        self._run(_LEDGER)
        missing = self.pending()
        for migration in missing:
            self._apply(migration)
        self.apply_retention()
        return missing

    @property
    def newest(self) -> int:
        return migrations()[-1].version

    def pending(self) -> list[Migration]:
        """Those not applied yet. Raises ArchiveError where one that was applied reads otherwise now."""
        applied = self._applied()
        for migration in migrations():
            if applied.get(migration.version, migration.checksum) != migration.checksum:
                raise ArchiveError(f"migration {migration.version} ({migration.name}) was changed after it was applied")
        return [migration for migration in migrations() if migration.version not in applied]

    def apply_retention(self) -> bool:
        """Gives the raw records the configured time to live; whether that changed anything."""
        wanted = self._retention()
        if wanted in self._engine_of_raw_swaps():
            return False
        log.info("archive retention: %s", wanted)
        self._run(f"ALTER TABLE raw_swaps {{on_cluster}} MODIFY TTL {wanted}")
        return True

    def is_tiered(self) -> bool:
        """Whether the raw records have a cold volume to move to."""
        found = self._server.query(
            "SELECT count() FROM system.tables AS t "
            "INNER JOIN system.storage_policies AS p ON t.storage_policy = p.policy_name "
            "WHERE t.database = currentDatabase() AND t.name = 'raw_swaps' AND p.volume_name = %(volume)s",
            {"volume": COLD_VOLUME},
        )
        return bool(found[0][0])

    def close(self) -> None:
        self._server.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _create_database(self) -> None:
        name = f"`{self._database}`"
        with self._connect("default") as server:
            server.query(self._fill(f"CREATE DATABASE IF NOT EXISTS {name} {{on_cluster}}"), settings=DDL_SETTINGS)

    def _applied(self) -> dict[int, str]:
        """Checksums by version; nothing where the database was never migrated."""
        with self._connect("default") as server:
            known = server.query(
                "SELECT count() FROM system.tables WHERE database = %(database)s AND name = 'schema_migrations'",
                {"database": self._database},
            )
        return dict(self._server.query("SELECT version, checksum FROM schema_migrations FINAL")) if known[0][0] else {}

    def _apply(self, migration: Migration) -> None:
        log.info("archive migration %d: %s", migration.version, migration.name)
        for statement in migration.statements:
            self._run(statement)
        record = ([migration.version], [migration.name], [migration.checksum])
        self._server.insert("schema_migrations", ("version", "name", "checksum"), record)

    def _retention(self) -> str:
        """The TTL clause, spelt as ClickHouse spells it back. Old swaps belong on the cold volume whenever they come;
        they are deleted by the time that they have been here, so that what is archived belatedly is kept as long."""
        hot, keep = self._deployment.hot_days, self._deployment.delete_days
        delete = f"toDate(archived_at) + toIntervalDay({keep})"
        move = f"toDate(event_time) + toIntervalDay({hot}) TO VOLUME '{COLD_VOLUME}'"
        return f"{move}, {delete}" if self.is_tiered() else delete

    def _engine_of_raw_swaps(self) -> str:
        where = "database = currentDatabase() AND name = 'raw_swaps'"
        return str(self._server.query(f"SELECT engine_full FROM system.tables WHERE {where}")[0][0])  # noqa: S608

    def _run(self, statement: str) -> None:
        if sql := self._fill(statement):
            self._server.query(sql, settings=DDL_SETTINGS)

    def _fill(self, statement: str) -> str:
        return _PLACEHOLDER.sub(lambda match: self._value(match[1], match[2]), statement)

    def _value(self, name: str, argument: str) -> str:
        cluster = self._deployment.cluster
        if name == "on_cluster":
            return f"ON CLUSTER '{cluster}'" if cluster else ""
        if name == "caught_up":
            return f"SYSTEM SYNC REPLICA ON CLUSTER '{cluster}' {argument}" if cluster else ""
        if name == "storage_policy":
            return f", storage_policy = '{self._deployment.storage_policy}'" if self._has_policy() else ""
        return engine(argument, replicated=bool(cluster))

    def _has_policy(self) -> bool:
        policy = self._deployment.storage_policy
        found = (
            policy
            and self._server.query(
                "SELECT count() FROM system.storage_policies "
                "WHERE policy_name = %(policy)s AND volume_name = %(volume)s",
                {"policy": policy, "volume": COLD_VOLUME},
            )[0][0]
        )
        if policy and not found:
            log.warning("no storage policy %s with a volume `cold`: everything stays on the default disk", policy)
        return bool(found)


def engine(name: str, replicated: bool) -> str:
    """A table engine, or its replicated sibling; {shard} and {replica} are the servers' own macros."""
    if not replicated:
        return name
    kind, _, arguments = name.rstrip(")").partition("(")
    path = "'/clickhouse/tables/{shard}/{database}/{table}', '{replica}'"
    return f"Replicated{kind}({path}{', ' if arguments else ''}{arguments})"
