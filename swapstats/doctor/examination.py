"""One examination: all parts, one after the other, none keeping the others from being looked at."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from settings.config import Config
from swapstats.doctor import broker, clickhouse, configuration, keys, machine, redis
from swapstats.doctor.finding import Finding, error
from swapstats.domain.errors import SwapstatsError


@dataclass(frozen=True)
class Circumstances:
    """What the configuration does not say: `rate` is the swaps a second to be ready for, `is_production` whether
    Django's settings are those of production."""

    rate: int = 1_000
    is_production: bool = False
    wall_clock: Callable[[], float] = time.time


def examine(config: Config, circumstances: Circumstances) -> Iterator[Finding]:
    """Findings as they come."""
    yield from configuration.examine(config, circumstances.is_production)
    yield from keys.examine(config)
    yield from machine.examine(config)
    yield from _guarded("broker", lambda: broker.examine(config))
    yield from _guarded("redis", lambda: redis.examine(config, circumstances.rate, circumstances.wall_clock))
    yield from _guarded("clickhouse", lambda: clickhouse.examine(config))


def _guarded(part: str, look: Callable[[], Iterator[Finding]]) -> Iterator[Finding]:
    try:
        yield from look()
    except SwapstatsError as trouble:
        yield error(part, f"{part}.failed", str(trouble), "see what it says above, and look again")
