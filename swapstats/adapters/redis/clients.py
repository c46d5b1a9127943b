"""redis-py clients for those who may reconnect silently: readers and whoever keeps no state along a connection."""

from collections.abc import Callable
from typing import Any

from redis import Redis as SyncRedis
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.asyncio.sentinel import Sentinel
from redis.backoff import NoBackoff
from redis.connection import SSLConnection, parse_url
from redis.retry import Retry as SyncRetry
from redis.sentinel import Sentinel as SyncSentinel

from settings.config import RedisServer
from settings.config import Sentinel as SentinelConfig
from settings.config.values import parse_address

RETRIES = 1
"""Enough for a connection that broke while it was idle; who asks knows better what to do about more."""


def async_client(server: RedisServer) -> "Redis":
    """Connects when it is first used, in the running event loop; replies are bytes."""
    options = _options(server) | {"retry": Retry(NoBackoff(), RETRIES)}
    if server.sentinel is None:
        return Redis.from_url(server.url, **options)
    client: Redis = _through(Sentinel, server.sentinel, _from_url(server) | options)
    return client


def sync_client(server: RedisServer, **more: Any) -> "SyncRedis":
    """A pool of connections for any number of threads; replies are bytes."""
    options = _options(server) | {"retry": SyncRetry(NoBackoff(), RETRIES)} | more
    if server.sentinel is None:
        return SyncRedis.from_url(server.url, **options)
    client: SyncRedis = _through(SyncSentinel, server.sentinel, _from_url(server) | options)
    return client


def _options(server: RedisServer) -> dict[str, Any]:
    seconds = server.timeout_ms / 1000
    options = {"socket_timeout": seconds, "socket_connect_timeout": seconds, "socket_keepalive": True}
    return options | ({"password": server.password.get_secret_value()} if server.password else {})


def _from_url(server: RedisServer) -> dict[str, Any]:
    url: dict[str, Any] = parse_url(server.url)  # type: ignore[no-untyped-call]
    kept = {key: url[key] for key in ("db", "username", "password") if key in url}
    return kept | {"ssl": url.get("connection_class") is SSLConnection}


def _through(kind: Callable[..., Any], sentinel: SentinelConfig, options: dict[str, Any]) -> Any:
    """A client of whichever server the sentinels name as master, asked anew for each connection."""
    hosts = [(address.host, address.port) for address in map(parse_address, sentinel.hosts)]
    own = {"password": sentinel.password.get_secret_value()} if sentinel.password else {}
    return kind(hosts, sentinel_kwargs=own).master_for(sentinel.master, **options)
