"""How many messages one client may send, and how often a caller may connect and subscribe."""

import asyncio
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from swapstats.ports.rate_limiter import BucketSize, RateLimiter
from swapstats.ports.token_verifier import Caller

MESSAGES_PER_SECOND = 50.0
BURST = 200.0


class Allowance:
    """A token bucket on the caller's clock, in seconds."""

    __slots__ = ("_at", "_left")

    def __init__(self) -> None:
        self._left = BURST
        self._at = 0.0

    def take(self, now: float) -> bool:
        """Whether one more message is within the allowance; it counts if so."""
        self._left = min(BURST, self._left + (now - self._at) * MESSAGES_PER_SECOND)
        self._at = now
        if self._left < 1:
            return False
        self._left -= 1
        return True


class SharedAllowance(NamedTuple):
    """A token bucket for each `sub`, or else each address, of whatever connects and subscribes: all its connections to
    all processes draw from the same. `address_of` a scope is who shares one. The limiter is asked in a thread."""

    limiter: Callable[[], RateLimiter]
    size: BucketSize
    address_of: Callable[[Mapping[str, Any]], str]

    async def take(self, caller: Caller | None, scope: Mapping[str, Any]) -> bool:
        """Whether one more connection or subscribe message is within the allowance; it counts if so."""
        verdict = await asyncio.to_thread(self.limiter().take, f"ws:{self.who(caller, scope)}", self.size)
        return verdict.is_allowed

    def who(self, caller: Caller | None, scope: Mapping[str, Any]) -> str:
        return f"sub:{caller.subject}" if caller else f"ip:{self.address_of(scope)}"
