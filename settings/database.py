"""Where Django keeps its own tables, from ``database.url``."""

from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from settings.config import Config

SQLITE_OPTIONS = {
    "timeout": 20,
    "transaction_mode": "IMMEDIATE",
    "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;",
}


def databases(config: Config) -> dict[str, dict[str, Any]]:
    """Django's ``DATABASES``."""
    url = config.database.url
    if url is None:
        return {"default": _sqlite(str(config.embedded.data_dir / "django.sqlite3"))}
    if url.startswith("sqlite:"):
        return {"default": _sqlite(unquote(urlsplit(url).path.removeprefix("/")))}
    return {"default": _postgresql(config)}


def _sqlite(path: str) -> dict[str, Any]:
    return {"ENGINE": "django.db.backends.sqlite3", "NAME": path, "OPTIONS": SQLITE_OPTIONS}


def _postgresql(config: Config) -> dict[str, Any]:
    url = urlsplit(config.database.url or "")
    password = config.database.password
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": unquote(url.path.removeprefix("/")),
        "USER": unquote(url.username or ""),
        "PASSWORD": password.get_secret_value() if password else unquote(url.password or ""),
        "HOST": url.hostname or "",
        "PORT": str(url.port or ""),
        "OPTIONS": dict(parse_qsl(url.query)),
        "CONN_MAX_AGE": 60,
        "CONN_HEALTH_CHECKS": True,
    }
