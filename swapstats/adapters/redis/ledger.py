"""The ledger in Redis: one script call per batch, entries of about 30 bytes (docs/performance.md)."""

from collections.abc import Mapping, Sequence
from hashlib import blake2b
from pathlib import Path
from struct import Struct

from swapstats.adapters.redis.fencing import checkpoint_key, raise_if_fenced
from swapstats.adapters.redis.session import RedisSession
from swapstats.domain.errors import ConfigError, StoreError
from swapstats.ports.ledger import Claim, Decision
from swapstats.ports.swap_source import SourceIdentity

_SCRIPT = (Path(__file__).parent / "decide.lua").read_text()
_CLAIM = Struct(">16sBHHI")  # digest, flags, partition, offset in 16 + 32 bits


MOST_RETENTION_DAYS = 200
"""Entries are stamped with 16 bits of tens of minutes, half of which lie ahead: they tell 227 days apart."""


class RedisLedger:
    """Entries of one log, kept for at least `retention_ms` after they were written, by Redis's own clock."""

    def __init__(self, session: RedisSession, prefix: str, source: SourceIdentity, retention_ms: int) -> None:
        """Raises ConfigError for a retention that cannot be kept."""
        if retention_ms > MOST_RETENTION_DAYS * 86_400_000:
            raise ConfigError(f"app.dedupe_ttl, app.windows: expected at most {MOST_RETENTION_DAYS} days")
        self._decide = session.script(_SCRIPT, "decide")
        self._prefix = prefix
        self._source = source
        self._index = ledger_index(prefix, source.key)
        self._retention_ms = retention_ms

    def decide(self, claims: Sequence[Claim], epochs: Mapping[int, int]) -> Decision:
        """See ports/ledger.py."""
        partitions = list(epochs)
        keys = [self._index, *(checkpoint_key(self._prefix, self._source, partition) for partition in partitions)]
        reply = self._decide.begin(keys, [_pack(claims), self._retention_ms, *epochs.values()])

        def wait() -> Sequence[int]:
            try:
                outcomes = bytes(reply())
            except StoreError as error:
                raise_if_fenced(error, partitions)
                raise
            if len(outcomes) != len(claims):
                raise StoreError(f"the ledger gave {len(outcomes)} outcomes for {len(claims)} claims")
            return outcomes

        return wait


def ledger_index(prefix: str, source_key: str) -> str:
    """The hash that tells how many entries the ledger of a log has and where they are."""
    return f"{prefix}ledger:{blake2b(source_key.encode(), digest_size=6).hexdigest()}"


def _pack(claims: Sequence[Claim]) -> bytes:
    pack = _CLAIM.pack
    return b"".join(
        [
            pack(digest, removed | late << 1, partition, offset >> 32, offset & 0xFFFFFFFF)
            for digest, partition, offset, removed, late in claims
        ]
    )
