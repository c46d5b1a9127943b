"""Tickets in Redis, by their digest: who reads Redis cannot use them."""

import secrets
from hashlib import sha256

import msgspec
from redis import Redis
from redis.exceptions import RedisError

from swapstats.domain.errors import StoreUnavailable
from swapstats.ports.token_verifier import Caller

TICKET_BYTES = 24
MAX_TICKET = 64

_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(Caller)


class RedisTicketStore:
    def __init__(self, client: "Redis", prefix: str) -> None:
        self._client = client
        self._prefix = f"{prefix}ticket:"

    def issue(self, caller: Caller, seconds: int) -> str:
        ticket = secrets.token_urlsafe(TICKET_BYTES)
        try:
            self._client.set(self._key(ticket), _encoder.encode(caller), ex=seconds)
        except (RedisError, OSError) as error:
            raise StoreUnavailable(f"Redis: {error or type(error).__name__}") from error
        return ticket

    def redeem(self, ticket: str) -> Caller | None:
        if len(ticket) > MAX_TICKET:
            return None
        try:
            found = self._client.getdel(self._key(ticket))
        except (RedisError, OSError) as error:
            raise StoreUnavailable(f"Redis: {error or type(error).__name__}") from error
        return _decoder.decode(found) if isinstance(found, bytes) else None

    def _key(self, ticket: str) -> str:
        return self._prefix + sha256(ticket.encode("utf-8", "surrogatepass")).hexdigest()
