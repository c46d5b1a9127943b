"""ClickHouse: its tables' version, the cold volume, and its disks."""

from collections.abc import Iterator

from settings.config import Config
from swapstats import bootstrap
from swapstats.adapters.clickhouse.connection import Connection, database_of
from swapstats.doctor.finding import Finding, error, ok, warning
from swapstats.domain.errors import ArchiveError, ArchiveUnavailable

PART = "clickhouse"
LEAST_FREE = 0.1
MIGRATE = "run `manage.py archive_schema`"


def examine(config: Config) -> Iterator[Finding]:
    """The archive may be down without harm to the live statistics; history is then missing from the API."""
    try:
        with bootstrap.clickhouse(config, "default") as server:
            [(version,)] = server.query("SELECT version()")
            yield ok(PART, "clickhouse.reachable", f"version {version} answers")
            yield from _schema(config, server)
            yield from _policy(config, server)
            yield from _disks(server)
    except ArchiveUnavailable as trouble:
        remedy = "check stores.clickhouse.dsn and its password (`clickhouse-client --host HOST --query 'SELECT 1'`)"
        yield error(PART, "clickhouse.unreachable", str(trouble), remedy)


def _schema(config: Config, server: Connection) -> Iterator[Finding]:
    database = database_of(config.stores.clickhouse.dsn)
    if not server.query("SELECT 1 FROM system.databases WHERE name = %(name)s", {"name": database}):
        yield error(PART, "clickhouse.no_database", f"there is no database {database}", MIGRATE)
        return
    try:
        with bootstrap.archive_schema(config) as schema:
            pending = [migration.name for migration in schema.pending()]
    except ArchiveError as trouble:
        yield error(PART, "clickhouse.changed", str(trouble), "deploy the version that applied it, or restore its file")
        return
    if pending:
        yield error(PART, "clickhouse.behind", f"migrations not applied: {', '.join(pending)}", MIGRATE)
    else:
        yield ok(PART, "clickhouse.schema", "all migrations are applied")


def _policy(config: Config, server: Connection) -> Iterator[Finding]:
    policy = config.stores.clickhouse.storage_policy
    if not policy:
        return
    volumes = server.query(
        "SELECT volume_name FROM system.storage_policies WHERE policy_name = %(policy)s", {"policy": policy}
    )
    if not volumes:
        what = f"there is no storage policy {policy}: old swaps stay on the default disk"
    elif ("cold",) not in volumes:
        what = f"the storage policy {policy} has no volume `cold`: old swaps stay where they are"
    else:
        yield ok(PART, "clickhouse.policy", f"{policy} has a cold volume")
        return
    remedy = "give the server docker/clickhouse/config.d/storage.xml, or set `storage_policy: ''` in the file"
    yield warning(PART, "clickhouse.policy", what, remedy)


def _disks(server: Connection) -> Iterator[Finding]:
    for name, free, total in server.query("SELECT name, free_space, total_space FROM system.disks WHERE is_remote = 0"):
        what = f"disk {name}: {free / 2**30:.1f} of {total / 2**30:.1f} GiB free"
        if total and free < LEAST_FREE * total:
            remedy = "make room, shorten stores.clickhouse.hot_days or delete_days, or add a disk"
            yield warning(PART, "clickhouse.disk", what, remedy)
        else:
            yield ok(PART, "clickhouse.disk", what)
