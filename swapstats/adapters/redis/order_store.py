"""Frozen orders in Redis: a ring of so many, of which the newest takes the oldest one's place."""

import secrets
import time
import zlib
from collections.abc import Callable, Sequence
from threading import Lock
from typing import Any

import msgspec
from redis import Redis
from redis.exceptions import RedisError

from swapstats.domain.errors import StoreUnavailable
from swapstats.domain.token_bucket import draw
from swapstats.ports.order_store import Place

SLOTS = 32
KEPT_S = 300
MOST_PLACES = 20_000
"""About 600 kB when it is packed, so 20 MB in all at most."""
A_SECOND, AT_ONCE = 1.0, 10
"""How many orders one process freezes here: Redis has more important things to write."""
FASTEST = 1
RETRY_SECONDS = 1.0
"""How long Redis is left alone after it has failed, so that not every page waits for it."""

# KEYS[1] counts the orders; ARGV: number of slots, how long to keep it, the order. The slot's number is the reply.
_KEEP = """
local slot = redis.call('INCR', KEYS[1]) % ARGV[1]
redis.call('SET', KEYS[1] .. ':' .. slot, ARGV[3], 'EX', ARGV[2])
return slot
"""


class _Kept(msgspec.Struct, array_like=True):
    secret: str
    places: list[Place]


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(_Kept)


class RedisOrderStore:
    """Fulfils the port `OrderStore`. A name is the slot and a secret, by which an order is told from its successors.
    `client` is to give up within a fraction of a second."""

    def __init__(self, client: "Redis", prefix: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._client = client
        self._key = f"{prefix}orders"
        self._keep = client.register_script(_KEEP)
        self._clock = clock
        self._lock = Lock()
        self._full_at = 0.0
        self._away_until = 0.0

    def keep(self, places: Sequence[Place]) -> str | None:
        if len(places) > MOST_PLACES or not self._is_within_bounds():
            return None
        secret = secrets.token_urlsafe(9)
        packed = zlib.compress(_encoder.encode((secret, places)), FASTEST)
        slot = self._ask(lambda: self._keep(keys=[self._key], args=[SLOTS, KEPT_S, packed]))
        return None if slot is None else f"{slot}.{secret}"

    def find(self, name: str) -> Sequence[Place] | None:
        slot, _, secret = name.partition(".")
        if not (slot.isascii() and slot.isdigit() and len(slot) <= len(str(SLOTS))):
            return None
        packed = self._ask(lambda: self._client.get(f"{self._key}:{slot}"))
        kept = _decoder.decode(zlib.decompress(packed)) if packed else None
        return kept.places if kept and kept.secret == secret else None

    def _ask(self, call: Callable[[], Any]) -> Any:
        if self._clock() < self._away_until:
            return None
        try:
            return call()
        except (RedisError, OSError) as error:
            self._away_until = self._clock() + RETRY_SECONDS
            raise StoreUnavailable(f"Redis: {error or type(error).__name__}") from error

    def _is_within_bounds(self) -> bool:
        with self._lock:
            now = self._clock()
            drawn = draw(self._full_at, now, A_SECOND, AT_ONCE)
            self._full_at = drawn.full_at
            return drawn.is_allowed
