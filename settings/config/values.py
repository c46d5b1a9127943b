"""The kinds of value that swapstats' configuration is made of, each parsed from what people write."""

import re
from pathlib import Path
from typing import Annotated, Any, NamedTuple
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, ByteSize, Field, WithJsonSchema

PROJECT_DIR = Path(__file__).resolve().parent.parent.parent

_UNITS_MS = {"ms": 1, "s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}
_DURATION = re.compile(r"(\d+)\s*(ms|s|m|h|d)")
_ADDRESS = re.compile(r"(?P<host>\[[0-9a-fA-F:.]+\]|[^:\[\]\s]*):(?P<port>\d+)")
_MAX_PORT = 65_535


class Address(NamedTuple):
    """Where to listen. A host left out means every IPv4 interface."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def parse_duration(value: object) -> int:
    """``"200ms"``, ``"5s"`` or ``"24h"`` in milliseconds; a number without a unit is refused."""
    match = _DURATION.fullmatch(value.strip()) if isinstance(value, str) else None
    if match is None:
        raise ValueError("expected a duration with its unit (ms, s, m, h or d), such as 200ms, 5s or 24h")
    return int(match[1]) * _UNITS_MS[match[2]]


def format_duration(milliseconds: int) -> str:
    """The shortest text that `parse_duration` reads back to the same value."""
    unit = next(name for name in reversed(_UNITS_MS) if milliseconds % _UNITS_MS[name] == 0)
    return f"{milliseconds // _UNITS_MS[unit]}{unit}"


def parse_address(value: object) -> Address:
    """``":8080"``, ``"127.0.0.1:8080"`` or ``"[::1]:8080"``."""
    match = _ADDRESS.fullmatch(value.strip()) if isinstance(value, str) else None
    if match is None or int(match["port"]) > _MAX_PORT:
        raise ValueError("expected host:port, such as :8080, 127.0.0.1:8080 or [::1]:8080")
    return Address(match["host"].strip("[]") or "0.0.0.0", int(match["port"]))  # noqa: S104 — as ":8080" says


def parse_loopback_address(value: object) -> Address:
    """As `parse_address`, but a host left out means this machine alone."""
    address = parse_address(value)
    return address._replace(host="127.0.0.1") if str(value).lstrip().startswith(":") else address


def _server(value: str) -> str:
    address = parse_address(value)
    if value.startswith(":") or address.port == 0:
        raise ValueError("expected host:port, such as localhost:9092")
    return value


def _url_with(*schemes: str) -> AfterValidator:
    """A check of a URL's scheme and host; its message never repeats the URL, which may hold a password."""

    def check(value: str) -> str:
        parts = urlsplit(value)
        if parts.scheme not in schemes or not (parts.hostname or parts.path.strip("/")):
            raise ValueError(f"expected a URL that begins with {' or '.join(f'{s}://' for s in schemes)}")
        return value

    return AfterValidator(check)


def _documented_as(name: str) -> WithJsonSchema:
    return WithJsonSchema({"type": "string", "format": name})


class EmptyIsSaid:
    """Marks a text whose empty value means something: an empty variable sets it, where it would else be ignored."""


EmptyOrText = Annotated[str, EmptyIsSaid()]
Duration = Annotated[int, BeforeValidator(parse_duration), _documented_as("duration")]
Interval = Annotated[int, BeforeValidator(parse_duration), Field(gt=0), _documented_as("duration")]
Count = Annotated[int, Field(gt=0)]
Size = Annotated[ByteSize, Field(gt=0), _documented_as("size")]
ListenAddress = Annotated[Address, BeforeValidator(parse_address), _documented_as("address")]
LoopbackAddress = Annotated[Address, BeforeValidator(parse_loopback_address), _documented_as("address")]
Server = Annotated[str, AfterValidator(_server), _documented_as("address")]
RedisUrl = Annotated[str, _url_with("redis", "rediss", "unix")]
ClickHouseUrl = Annotated[str, _url_with("clickhouse", "clickhouses")]
DatabaseUrl = Annotated[str, _url_with("sqlite", "postgresql")]
HttpUrl = Annotated[str, _url_with("http", "https")]
ProjectPath = Annotated[Path, AfterValidator(lambda path: PROJECT_DIR / path)]


def setting(default: object, key: str | None = None) -> Any:
    """A field whose default is written as in YAML, and whose key may differ from the attribute's name."""
    return Field(default, alias=key, validate_default=True)
