"""The channel layer, over which workers tell web processes what changed."""

from typing import Any

from redis.connection import SSLConnection, parse_url

from settings.config import ChannelLayer, Sentinel
from settings.config.values import parse_address

RESP = 2
"""The version of Redis's protocol. In version 3 messages come as pushes, and redis-py writes each one out as text for
a log that nobody keeps: of a tick of 500 tokens that was most of the cost of hearing it."""


def channel_layers(server: ChannelLayer) -> dict[str, dict[str, Any]]:
    """Django's ``CHANNEL_LAYERS``."""
    host = _direct(server) if server.sentinel is None else _through(server.sentinel, server)
    return {
        "default": {
            "BACKEND": "channels_redis.pubsub.RedisPubSubChannelLayer",
            "CONFIG": {"hosts": [host | {"protocol": RESP}], "prefix": server.prefix},
        }
    }


def _direct(server: ChannelLayer) -> dict[str, Any]:
    return {"address": server.url, **_credentials(server)}


def _through(sentinel: Sentinel, server: ChannelLayer) -> dict[str, Any]:
    url: dict[str, Any] = parse_url(server.url)  # type: ignore[no-untyped-call]
    own = {"password": sentinel.password.get_secret_value()} if sentinel.password else {}
    return {
        "master_name": sentinel.master,
        "sentinels": [tuple(parse_address(host)) for host in sentinel.hosts],
        "sentinel_kwargs": own,
        "ssl": url.get("connection_class") is SSLConnection,
        **{key: url[key] for key in ("db", "username", "password") if key in url},
        **_credentials(server),
    }


def _credentials(server: ChannelLayer) -> dict[str, Any]:
    return {"password": server.password.get_secret_value()} if server.password else {}
