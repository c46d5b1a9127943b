"""What operators watch: the keys `metrics`, `alerts` and `log`."""

from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr

from settings.config.section import Section
from settings.config.values import Count, HttpUrl, Interval, ListenAddress, LoopbackAddress, setting


class Metrics(Section):
    prometheus: ListenAddress | None = setting(":9091")
    """Where a worker shows its metrics; null turns it off."""
    pprof: LoopbackAddress | None = setting(":6060")
    """Where a process can be profiled; a host left out means this machine alone, null turns it off. Where
    the port is taken, the next free one of sixteen is used, so that several processes share a machine."""


class Telegram(Section):
    bot_token: SecretStr | None = None
    """The bot's token; without one nothing is sent."""
    bot_token_file: Path | None = None
    """A file that holds it."""
    chat_id: str | None = Field(None, coerce_numbers_to_str=True)
    """The chat that alerts go to."""
    api_base: HttpUrl = "https://api.telegram.org"
    """The Bot API server."""


class Alerts(Section):
    repeat_after_ms: Interval = setting("10m", "repeat_after")
    """For how long the same alert is not sent again; then it is, with how often it came meanwhile."""
    per_minute: Count = 20
    """How many alerts one process sends a minute; Telegram takes 20 in a group."""
    telegram: Telegram = Telegram()


class Log(Section):
    level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    """The least important level that is written."""
    format: Literal["auto", "json", "console"] = "auto"
    """JSON objects, or lines for people; `auto` is for people in development and JSON elsewhere."""
