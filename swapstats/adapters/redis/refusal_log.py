"""Refusals in Redis: a sorted set of who was refused why by the last time, and beside it how often and since when."""

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from redis import Redis
from redis.exceptions import RedisError

from swapstats.domain.errors import StoreUnavailable
from swapstats.ports.refusal_log import Refusal, Refused, Tally

MOST_KEPT = 1_000
KEPT_MS = 86_400_000
LONGEST = 300
"""Characters of who and why together; a `sub` has 256 at most."""

# KEYS: last times, counts, beginnings. ARGV[1] how many to keep at most, ARGV[2] since when, ARGV[3] for how long; then
# of each: the member, its count, its last time.
_ADD = """
for i = 4, #ARGV, 3 do
  redis.call('HINCRBY', KEYS[2], ARGV[i], ARGV[i + 1])
  redis.call('HSETNX', KEYS[3], ARGV[i], ARGV[i + 2])
  redis.call('ZADD', KEYS[1], 'GT', ARGV[i + 2], ARGV[i])
end
local gone = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', '(' .. ARGV[2])
for _, member in ipairs(redis.call('ZRANGE', KEYS[1], 0, -1 - ARGV[1])) do gone[#gone + 1] = member end
for _, member in ipairs(gone) do
  redis.call('ZREM', KEYS[1], member)
  redis.call('HDEL', KEYS[2], member)
  redis.call('HDEL', KEYS[3], member)
end
for _, key in ipairs(KEYS) do redis.call('PEXPIRE', key, ARGV[3]) end
"""


class RedisRefusalLog:
    """Fulfils the port `RefusalLog`."""

    def __init__(self, client: "Redis", prefix: str, wall_clock: Callable[[], float] = time.time) -> None:
        self._client = client
        self._keys = [f"{prefix}refusals:{part}" for part in ("last", "count", "since")]
        self._add = client.register_script(_ADD)
        self._wall_clock = wall_clock

    def add(self, tallies: Mapping[Refused, Tally]) -> None:
        words: list[Any] = []
        for refused, tally in tallies.items():
            words += (_member(refused), *tally)
        args = [MOST_KEPT, self._oldest_ms(), KEPT_MS, *words]
        _asked(lambda: self._add(keys=self._keys, args=args))

    def recent(self) -> Sequence[Refusal]:
        last, counts, since = self._keys
        pipeline = self._client.pipeline(transaction=True)
        pipeline.zrange(last, "+inf", self._oldest_ms(), desc=True, byscore=True, withscores=True)
        pipeline.hgetall(counts)
        pipeline.hgetall(since)
        found, count_of, since_of = _asked(pipeline.execute)
        return [
            Refusal(*_read(member), int(count_of.get(member, 0)), int(since_of.get(member, last_ms)), int(last_ms))
            for member, last_ms in found
        ]

    def _oldest_ms(self) -> int:
        return int(self._wall_clock() * 1000) - KEPT_MS


def _member(refused: Refused) -> bytes:
    return f"{refused.code} {refused.who}"[:LONGEST].encode("utf-8", "backslashreplace")


def _read(member: bytes) -> Refused:
    code, _, who = member.decode().partition(" ")
    return Refused(who, code)


def _asked(call: Callable[[], Any]) -> Any:
    try:
        return call()
    except (RedisError, OSError) as error:
        raise StoreUnavailable(f"Redis: {error or type(error).__name__}") from error
