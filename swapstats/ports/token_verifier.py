"""Who is asking: bearer tokens, verified."""

from typing import NamedTuple, Protocol


class Caller(NamedTuple):
    """Whoever a valid token was issued to. From `expires_at_s` (epoch seconds) on it is not valid any more;
    `issued_at_s` is 0 where it does not say."""

    subject: str
    expires_at_s: int
    issued_at_s: int = 0


class TokenVerifier(Protocol):
    """For any thread. May wait some seconds for keys that it has to fetch."""

    def verify(self, token: str) -> Caller:
        """Raises TokenExpired, or BadToken for whatever else is wrong with it."""
