"""Redis: whether it keeps what it is given, how it packs it, and whether the ledger fits."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from redis import Redis
from redis.exceptions import RedisError, ResponseError

from settings.config import Config
from swapstats.adapters.redis.clients import sync_client
from swapstats.doctor.finding import Finding, error, ok, warning

PART = "redis"
LEDGER_ENTRY_BYTES = 31
"""Measured, all told: docs/performance.md."""
BESIDE_LEDGER = 1.25
"""Snapshots, the live view, fragmentation and buffers, as a factor."""
LISTPACK_ENTRIES, LISTPACK_VALUE = 128, 64
MOST_SKEW_S = 1.0
MAX_SKEW_S = 30.0

Settings = Mapping[str, str]


def examine(config: Config, rate: int, wall_clock: Callable[[], float]) -> Iterator[Finding]:
    """`rate`: the swaps a second that the ledger has to remember for `app.dedupe_ttl`."""
    client = sync_client(config.stores.redis, decode_responses=True)
    try:
        info: dict[str, Any] = client.info()
        yield ok(PART, "redis.reachable", f"version {info['redis_version']} answers")
        yield from _role(info)
        settings = _settings(client)
        yield from _persistence(info, settings)
        yield from _limits(config, rate, info, settings)
        yield from _packing(settings)
        yield _clock(client, wall_clock)
        yield from _channel_layer(config)
    except (RedisError, OSError) as trouble:
        yield _no_answer("stores.redis", trouble)
    finally:
        client.close()


def _no_answer(key: str, trouble: Exception) -> Finding:
    what = f"{key} does not answer: {trouble or type(trouble).__name__}"
    remedy = f"check {key}.url, its password, and whether the server runs (`redis-cli -u URL ping`)"
    return error(PART, f"redis.unreachable.{key}", what, remedy)


def _settings(client: Redis) -> Settings:
    try:
        found: Any = client.config_get("*")
    except ResponseError:
        return {}
    return dict(found)


def _role(info: Mapping[str, Any]) -> Iterator[Finding]:
    if info.get("role") != "master":
        yield error(
            PART,
            "redis.replica",
            "stores.redis leads to a replica, which takes no writes",
            "point stores.redis.url at the master, or let stores.redis.sentinel find it",
        )
    if info.get("cluster_enabled"):
        yield error(
            PART,
            "redis.cluster",
            "this is a Redis Cluster: ledger and snapshots of a partition must live on one server",
            "use one master with replicas and Sentinel",
        )


def _persistence(info: Mapping[str, Any], settings: Settings) -> Iterator[Finding]:
    if not info.get("aof_enabled"):
        yield error(
            PART,
            "redis.no_aof",
            "appendonly is off: a restart of Redis loses ledger and snapshots",
            "set `appendonly yes` and `appendfsync everysec` in redis.conf (`redis-cli config set appendonly yes` now)",
        )
    elif info.get("aof_last_write_status") != "ok":
        yield error(
            PART, "redis.aof_failing", "Redis cannot write its append-only file", "make room on its disk; see its log"
        )
    elif settings.get("appendfsync") == "no":
        what = "appendfsync is no: a power cut takes the last half minute of ledger and snapshots, which is read again"
        yield warning(PART, "redis.no_fsync", what, "set `appendfsync everysec`")
    else:
        yield ok(PART, "redis.aof", "writes go to the append-only file")


def _limits(config: Config, rate: int, info: Mapping[str, Any], settings: Settings) -> Iterator[Finding]:
    policy = str(info.get("maxmemory_policy") or settings.get("maxmemory-policy", ""))
    if policy and policy != "noeviction":
        yield error(
            PART,
            "redis.eviction",
            f"maxmemory-policy is {policy}: Redis forgets swaps it was told to remember, and they count twice",
            "set `maxmemory-policy noeviction`; caches belong in another Redis",
        )
    app = config.app
    kept_ms = max(app.dedupe_ttl_ms, app.longest_window_ms + app.grace_ms + app.max_skew_ms)
    needed = int(LEDGER_ENTRY_BYTES * rate * kept_ms / 1000 * BESIDE_LEDGER)
    limit = int(info.get("maxmemory") or 0) or int(info.get("total_system_memory") or 0)
    yield _memory(needed, limit, rate, capped=bool(info.get("maxmemory")))


def _memory(needed: int, limit: int, rate: int, *, capped: bool) -> Finding:
    have = f"{limit / 2**20:,.0f} MiB of {'maxmemory' if capped else 'memory in its machine'}"
    what = f"{rate} swaps/s for app.dedupe_ttl need about {needed / 2**20:,.0f} MiB; Redis has {have}"
    if limit and limit < needed:
        remedy = "raise maxmemory (and memory), shorten app.dedupe_ttl, or say the real rate with --rate"
        return error(PART, "redis.memory", what, remedy)
    if not capped:
        remedy = "set maxmemory to about three quarters of the machine, so that Redis refuses rather than being killed"
        return warning(PART, "redis.no_limit", f"{what}, but no maxmemory", remedy)
    return ok(PART, "redis.memory", what)


def _packing(settings: Settings) -> Iterator[Finding]:
    if not settings:
        yield warning(PART, "redis.hidden", "CONFIG GET is not allowed", "check the listpack limits where you can")
        return
    entries = int(settings.get("hash-max-listpack-entries", 0))
    value = int(settings.get("hash-max-listpack-value", 0))
    if entries < LISTPACK_ENTRIES or value < LISTPACK_VALUE:
        yield error(
            PART,
            "redis.listpack",
            f"hash-max-listpack-entries {entries} and -value {value}: an entry of the ledger costs several times more",
            f"set them to 256 (at least {LISTPACK_ENTRIES}) and {LISTPACK_VALUE}, in redis.conf and by CONFIG SET",
        )
    else:
        yield ok(PART, "redis.listpack", "the ledger's hashes are packed tightly")


def _clock(client: Redis, wall_clock: Callable[[], float]) -> Finding:
    before = wall_clock()
    time: Any = client.time()
    skew = (before + wall_clock()) / 2 - (time[0] + time[1] / 1e6)
    what = f"this machine's clock is {abs(skew):.3f} s {'ahead of' if skew > 0 else 'behind'} Redis's"
    remedy = "let chrony or systemd-timesyncd set both clocks (`chronyc tracking`)"
    if abs(skew) > MAX_SKEW_S:
        return error(PART, "redis.clock", what, remedy)
    return warning(PART, "redis.clock", what, remedy) if abs(skew) > MOST_SKEW_S else ok(PART, "redis.clock", what)


def _channel_layer(config: Config) -> Iterator[Finding]:
    layer = config.pubsub.channel_layer
    client = sync_client(layer)
    try:
        client.ping()
        yield ok(PART, "redis.channel_layer", "pubsub.channel_layer answers")
    except (RedisError, OSError) as trouble:
        yield _no_answer("pubsub.channel_layer", trouble)
    finally:
        client.close()
