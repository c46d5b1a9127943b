"""The typed configuration: ``from settings.config import load_config``; ``load_config().app.grace_ms``."""

from settings.config.ingest import App, BrokerSecurity, Ingest, TopicConfig, Window
from settings.config.load import Config, load_config
from settings.config.operations import Alerts, Metrics, Telegram
from settings.config.serving import Api, Bucket, Http, Jwt, RateLimit, Security, WebSocket
from settings.config.stores import (
    ChannelLayer,
    ClickHouse,
    Database,
    Embedded,
    PubSub,
    RedisServer,
    RedisStore,
    Sentinel,
    Stores,
)
from settings.config.values import Address

__all__ = [
    "Address",
    "Alerts",
    "Api",
    "App",
    "BrokerSecurity",
    "Bucket",
    "ChannelLayer",
    "ClickHouse",
    "Config",
    "Database",
    "Embedded",
    "Http",
    "Ingest",
    "Jwt",
    "Metrics",
    "PubSub",
    "RateLimit",
    "RedisServer",
    "RedisStore",
    "Security",
    "Sentinel",
    "Stores",
    "Telegram",
    "TopicConfig",
    "WebSocket",
    "Window",
    "load_config",
]
