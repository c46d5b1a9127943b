"""Where things are kept: the keys `stores`, `pubsub`, `database` and `embedded`."""

from pathlib import Path

from pydantic import Field, SecretStr, ValidationInfo, field_validator

from settings.config.section import Section
from settings.config.values import (
    ClickHouseUrl,
    Count,
    DatabaseUrl,
    EmptyOrText,
    Interval,
    ProjectPath,
    RedisUrl,
    Server,
    setting,
)


class Sentinel(Section):
    master: str = Field(min_length=1)
    """The name under which the sentinels know the master."""
    hosts: tuple[Server, ...] = Field(min_length=1)
    """The sentinels."""
    password: SecretStr | None = None
    """The sentinels' own password."""
    password_file: Path | None = None
    """A file that holds it."""


class RedisServer(Section):
    """Where a Redis or Valkey is. With `sentinel`, host and port of `url` are not used."""

    url: RedisUrl
    """Its address and database."""
    password: SecretStr | None = None
    """Its password, where the URL does not hold one."""
    password_file: Path | None = None
    """A file that holds it."""
    timeout_ms: Interval = setting("5s", "timeout")
    """How long to wait for a connection or an answer."""
    sentinel: Sentinel | None = None


class RedisStore(RedisServer):
    url: RedisUrl = "redis://localhost:6379/2"
    """Its address and database; ledger, snapshots and the live statistics live there together."""
    prefix: str = Field("swapstats:", min_length=1)
    """What the names of all keys begin with."""


class ClickHouse(Section):
    dsn: ClickHouseUrl = "clickhouse://localhost:9000/swaps?compression=lz4"
    """The archive, spoken to in the native protocol."""
    password: SecretStr | None = None
    """Its password, where the DSN does not hold one."""
    password_file: Path | None = None
    """A file that holds it."""
    batch_rows: Count = 1_000
    """Write when this many rows wait …"""
    batch_interval_ms: Interval = setting("200ms", "batch_interval")
    """… or when the oldest has waited this long; only this counts while the records read are older than 5 s."""
    hot_days: Count = 90
    """After how many days raw swaps move to the cold volume."""
    delete_days: Count = 365
    """After how many days they are deleted."""
    storage_policy: EmptyOrText = "hot_to_s3"
    """The server's storage policy that has the cold volume; empty keeps everything on the default disk."""
    cluster: EmptyOrText = ""
    """The ClickHouse cluster to create the tables on; empty for a single server."""

    @field_validator("delete_days")
    @classmethod
    def _deleted_after_cold(cls, days: int, info: ValidationInfo) -> int:
        if days <= info.data.get("hot_days", 0):
            raise ValueError("expected more days than hot_days")
        return days


class Stores(Section):
    redis: RedisStore = RedisStore()
    clickhouse: ClickHouse = ClickHouse()


class ChannelLayer(RedisServer):
    url: RedisUrl = "redis://localhost:6379/3"
    """Its address and database; the update messages between workers and web processes pass through it."""
    prefix: str = Field("swapstats", min_length=1)
    """What the names of its channels begin with."""


class PubSub(Section):
    channel_layer: ChannelLayer = ChannelLayer()


class Database(Section):
    url: DatabaseUrl | None = None
    """Django's own tables (users, sessions, revoked tokens): `sqlite:///file`, with a fourth slash where the path is
    absolute, or `postgresql://user@host:5432/name`; SQLite in `embedded.data_dir` if not given."""
    password: SecretStr | None = None
    """Its password, where the URL does not hold one."""
    password_file: Path | None = None
    """A file that holds it."""


class Embedded(Section):
    data_dir: ProjectPath = setting("var")
    """Where embedded parts keep their files; a relative path counts from the project's folder."""
