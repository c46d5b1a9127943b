"""Claims, and a worker that makes them to a ledger in a real Redis."""

from hashlib import blake2b

from settings.config import RedisStore
from swapstats.adapters.redis.checkpoint_store import RedisCheckpointStore
from swapstats.adapters.redis.ledger import RedisLedger
from swapstats.adapters.redis.session import RedisSession
from swapstats.domain.outcome import Outcome
from swapstats.domain.swap import Retraction
from swapstats.ports.ledger import MAIL_AT_ONCE, Claim, Mail, Stand
from swapstats.ports.swap_source import SourceIdentity

PREFIX = "test:"
LOG = SourceIdentity("cluster", "raw-swaps", "a1")
DAY_MS = 86_400_000

APPLIED, LATE, DUPLICATE, CANCELLED = Outcome.APPLIED, Outcome.LATE, Outcome.DUPLICATE, Outcome.CANCELLED
RETRACTED, RETRACTED_LATE, PARKED = Outcome.RETRACTED, Outcome.RETRACTED_LATE, Outcome.PARKED


def occurrence(name: object) -> bytes:
    return blake2b(str(name).encode(), digest_size=16).digest()


def add(offset: int, name: object = "a", *, late: bool = False, partition: int = 0) -> Claim:
    return Claim(occurrence(name), partition, offset, removed=False, late=late)


def remove(offset: int, name: object = "a", *, late: bool = False, partition: int = 0) -> Claim:
    return Claim(occurrence(name), partition, offset, True, late, taken_out(name))


def taken_out(name: object, amount: int = 10**60 + 1) -> Retraction:
    return Retraction(f"1:0x{name}", f"T{name}", True, amount, amount * 10**12, 1_704_456_000_123)


class Worker:
    """A session to Redis, with the leases that its batches name."""

    def __init__(
        self, url: str, log: SourceIdentity = LOG, retention_ms: int = DAY_MS, *, counts_late: bool = False
    ) -> None:
        self.session = RedisSession.open(RedisStore(url=url))
        self.checkpoints = RedisCheckpointStore(self.session, PREFIX, log, ttl_ms=60_000)
        self.ledger = RedisLedger(self.session, PREFIX, log, retention_ms, counts_late=counts_late)
        self.stands: dict[int, Stand] = {}

    def take(self, *partitions: int) -> "Worker":
        for partition in partitions:
            lease = self.checkpoints.take(partition, "me")
            self.stands[partition] = Stand(lease.epoch, lease.meta.begins_at if lease.meta else 0)
        return self

    def decide(self, *claims: Claim) -> list[int]:
        stands = {claim.partition: self.stands[claim.partition] for claim in claims}
        return list(self.ledger.decide(claims, stands)())

    def mail(self, partition: int, after: str = "") -> list[Mail]:
        """All of it, read in as many pieces as it takes."""
        found: list[Mail] = []
        while more := self.ledger.mail({partition: found[-1].id if found else after}).get(partition):
            assert len(more) <= MAIL_AT_ONCE
            found += more
        return found
