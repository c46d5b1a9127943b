"""How many messages one client may send."""

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
