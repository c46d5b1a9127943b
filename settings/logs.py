"""How log lines are written to standard error: as JSON objects, or for a person to read."""

import sys
from collections.abc import Iterator
from typing import Any, Literal
from urllib.parse import urlsplit

import msgspec
import structlog
from pydantic import BaseModel, SecretStr

from settings.config import Config
from swapstats.logs.secrets import Redactor

Format = Literal["json", "console"]
Processors = list[Any]


def logging_config(config: Config, otherwise: Format = "json") -> dict[str, Any]:
    """Django's ``LOGGING``; `otherwise` is the format where the configuration names none."""
    style = otherwise if config.log.format == "auto" else config.log.format
    level = config.log.level
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "filters": {"flood": {"()": "swapstats.logs.flood.FloodFilter"}},
        "formatters": {"line": {"()": structlog.stdlib.ProcessorFormatter, **_processors(style, config)}},
        "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line", "filters": ["flood"]}},
        "root": {"handlers": ["stderr"], "level": level},
        "loggers": {
            "django": {"handlers": [], "level": level, "propagate": True},
            # Whoever uses it says what went wrong; it would add a traceback to each failed connection.
            "clickhouse_driver": {"level": "ERROR"},
        },
    }


def secret_values(section: BaseModel) -> Iterator[str]:
    """Every secret that the configuration holds, passwords inside URLs included."""
    for name in type(section).model_fields:
        value = getattr(section, name)
        if isinstance(value, BaseModel):
            yield from secret_values(value)
        elif isinstance(value, SecretStr):
            yield value.get_secret_value()
        elif isinstance(value, str) and "://" in value and (password := urlsplit(value).password):
            yield password


def _processors(style: Format, config: Config) -> dict[str, Processors]:
    return {
        "foreign_pre_chain": [
            structlog.contextvars.merge_contextvars,
            structlog.stdlib.add_log_level,
            structlog.stdlib.add_logger_name,
            structlog.stdlib.ExtraAdder(),
            structlog.processors.TimeStamper(fmt="iso", utc=True, key="time"),
            structlog.processors.CallsiteParameterAdder({structlog.processors.CallsiteParameter.PROCESS}),
        ],
        "processors": [
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            _without_colours,
            structlog.processors.format_exc_info,
            Redactor(secret_values(config)),
            *_renderers(style),
        ],
    }


def _renderers(style: Format) -> Processors:
    if style == "json":
        return [structlog.processors.JSONRenderer(serializer=_encode)]
    return [_brief, structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty(), timestamp_key="time", pad_event_to=0)]


def _encode(event: Any, **_: Any) -> str:
    return msgspec.json.encode(event).decode()


def _without_colours(_logger: Any, _method: str, event: dict[str, Any]) -> dict[str, Any]:
    """uvicorn says some lines twice: once more with colours, for terminals."""
    event.pop("color_message", None)
    return event


def _brief(_logger: Any, _method: str, event: dict[str, Any]) -> dict[str, Any]:
    """Who reads along as it happens needs neither the date nor the process."""
    event.pop("process", None)
    return {**event, "time": str(event.get("time", ""))[11:23]}
