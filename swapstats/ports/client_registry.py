"""What is agreed with single clients of the API: limits of their own, and whose tokens are not taken any more."""

from typing import NamedTuple, Protocol

from swapstats.ports.rate_limiter import BucketSize
from swapstats.ports.token_verifier import Caller


class Terms(NamedTuple):
    """With the client of one `sub`. Its `limits` are None where they are everybody's. Tokens that were issued before
    `refused_before_s` (epoch seconds), or that do not say when, are refused; all are where `is_revoked`."""

    limits: BucketSize | None = None
    refused_before_s: int = 0
    is_revoked: bool = False

    def accept(self, caller: Caller) -> bool:
        return not self.is_revoked and caller.issued_at_s >= self.refused_before_s


class ClientRegistry(Protocol):
    """For any thread, answered from RAM; what an operator changes is known to all processes within seconds."""

    def terms(self, subject: str) -> Terms | None:
        """None where nothing special is agreed."""

    def accepts(self, caller: Caller) -> bool:
        """Whether the token of this caller is not one that was revoked."""

    def is_read(self) -> bool:
        """Whether it was read since this process began; until then nothing is known to be revoked."""
