"""Django's cache, in which log-in attempts are counted."""

from typing import Any

from settings.config import RedisStore

TIMEOUT_SECONDS = 0.25


def caches(server: RedisStore) -> dict[str, dict[str, Any]]:
    """Django's ``CACHES``, in the state's Redis. Django's cache knows no sentinels: behind them each process counts for
    itself."""
    if server.sentinel:
        return {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}}
    options = {"socket_timeout": TIMEOUT_SECONDS, "socket_connect_timeout": TIMEOUT_SECONDS}
    password = {"password": server.password.get_secret_value()} if server.password else {}
    return {
        "default": {
            "BACKEND": "django.core.cache.backends.redis.RedisCache",
            "LOCATION": server.url,
            "KEY_PREFIX": f"{server.prefix}cache",
            "OPTIONS": {**options, **password},
        }
    }
