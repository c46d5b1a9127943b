"""Records that are no swap events, one maker for each way of being wrong."""

import json
import random
from collections.abc import Callable
from typing import Any

Event = dict[str, Any]


def garbage(rng: random.Random, event: Event, max_bytes: int) -> bytes:
    """A broken version of a good event."""
    return rng.choice(_MAKERS)(dict(event), max_bytes)


def _changed(**fields: Any) -> Callable[[Event, int], bytes]:
    return lambda event, _: json.dumps({**event, **fields}).encode()


def _without(field: str) -> Callable[[Event, int], bytes]:
    return lambda event, _: json.dumps({name: value for name, value in event.items() if name != field}).encode()


def _raw(amount: str) -> Callable[[Event, int], bytes]:
    """The amount as bare characters where a JSON number would stand."""
    return lambda event, _: json.dumps({**event, "amount_usd": "@"}).replace('"@"', amount).encode()


_MAKERS: tuple[Callable[[Event, int], bytes], ...] = (
    lambda event, _: b"\x00\xff\xfe" + json.dumps(event).encode()[::-1],
    lambda event, _: json.dumps(event).encode()[:-20],
    lambda event, max_bytes: json.dumps({**event, "padding": "x" * max_bytes}).encode(),
    lambda event, _: b"[1, 2, 3]",
    lambda event, _: b"",
    _without("side"),
    _without("amount_usd"),
    _changed(side="hold"),
    _changed(amount_token="NaN"),  # noqa: S106 - an amount of tokens
    _changed(amount_usd="-1.5"),
    _changed(amount_usd=True),
    _raw("NaN"),
    _raw("1" + "0" * 400),
    _changed(log_index="7"),
    _changed(event_time="yesterday"),
    _changed(event_time="2199-01-01T00:00:00Z"),
    _changed(event_id="1:0xdead:0"),
    _changed(schema_version=2),
)
