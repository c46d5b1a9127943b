"""Which stretch of time a request is about."""

import re
from datetime import UTC, date, datetime
from typing import NamedTuple

from django.http import QueryDict

from api.errors import bad_parameter
from swapstats.ports.swap_archive import Interval

LAST_MS = 4_102_444_800_000
"""2100-01-01: as far as anybody may ask."""

INTERVALS = {
    "1m": Interval.MINUTE,
    "5m": Interval.MINUTES_5,
    "15m": Interval.MINUTES_15,
    "1h": Interval.HOUR,
    "4h": Interval.HOURS_4,
    "1d": Interval.DAY,
}
MOMENT = "an RFC 3339 time with its zone (2026-11-22T08:00:00Z), a day (2026-11-22) or epoch milliseconds, up to 2100"
FLAGS = {"true": True, "1": True, "false": False, "0": False}

_MILLISECONDS = re.compile(r"\d{1,13}")
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")


class Span(NamedTuple):
    """From a whole interval's start to another's, the end not included."""

    interval: Interval
    from_ms: int
    to_ms: int

    @property
    def starts(self) -> range:
        return range(self.from_ms, self.to_ms, self.interval.value)


def span_in(query: QueryDict, interval: Interval, limit: int, now_ms: int) -> Span:
    """`limit` intervals: from `from` on, or up to `to`, or up to now. Between two ends it is the newest ones."""
    width = interval.value
    first, last = moment_in(query, "from"), moment_in(query, "to")
    start = None if first is None else first // width * width
    if last is None:
        end = now_ms // width * width + width
        end = end if start is None else min(end, start + limit * width)
    else:
        end = -(-last // width) * width
    if first is not None and last is not None and first > last:
        raise bad_parameter("to", "a time not before `from`", query.get("to", ""))
    earliest = max(0, end - limit * width)
    return Span(interval, earliest if start is None else max(start, earliest), end)


def moment_in(query: QueryDict, name: str) -> int | None:
    """Epoch milliseconds; None where the parameter is absent."""
    given = query.get(name)
    if given is None:
        return None
    moment = _moment(given)
    if moment is None or not 0 <= moment <= LAST_MS:
        raise bad_parameter(name, MOMENT, given)
    return moment


def _moment(text: str) -> int | None:
    if _MILLISECONDS.fullmatch(text) and text.isascii():
        return int(text)
    try:
        if _DAY.fullmatch(text):
            moment = datetime.combine(date.fromisoformat(text), datetime.min.time(), UTC)
        else:
            moment = datetime.fromisoformat(text.replace(" ", "+"))  # a plus sign that nobody escaped
    except ValueError:
        return None
    return None if moment.tzinfo is None else round(moment.timestamp() * 1000)


def flag_in(query: QueryDict, name: str, default: bool) -> bool:
    given = query.get(name)
    if given is None:
        return default
    if given not in FLAGS:
        raise bad_parameter(name, "true or false", given)
    return FLAGS[given]
