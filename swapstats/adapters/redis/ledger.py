"""The ledger in Redis: one script call per batch, entries of about 30 bytes (docs/performance.md)."""

from collections.abc import Mapping, Sequence
from hashlib import blake2b
from pathlib import Path
from struct import Struct

import msgspec

from swapstats.adapters.redis.fencing import checkpoint_key, raise_if_fenced
from swapstats.adapters.redis.session import Argument, RedisSession
from swapstats.domain.errors import ConfigError, StoreError
from swapstats.domain.outcome import Outcome
from swapstats.domain.swap import Retraction
from swapstats.ports.ledger import MAIL_AT_ONCE, Claim, Decision, Mail, Stand
from swapstats.ports.swap_source import SourceIdentity

_SCRIPT = (Path(__file__).parent / "decide.lua").read_text()
_CLAIM = Struct(">16sBHHI")  # digest, flags, partition, offset in 16 + 32 bits


MOST_RETENTION_DAYS = 200
"""Entries are stamped with 16 bits of tens of minutes, half of which lie ahead: they tell 227 days apart."""


class RedisLedger:
    """Entries of one log, kept for at least `retention_ms` after they were written, by Redis's own clock; where
    `counts_late`, a late swap counts as well as one in time."""

    def __init__(
        self,
        session: RedisSession,
        prefix: str,
        source: SourceIdentity,
        retention_ms: int,
        *,
        counts_late: bool = False,
    ) -> None:
        """Raises ConfigError for a retention that cannot be kept."""
        if retention_ms > MOST_RETENTION_DAYS * 86_400_000:
            raise ConfigError(f"app.dedupe_ttl, app.windows: expected at most {MOST_RETENTION_DAYS} days")
        self._session = session
        self._decide = session.script(_SCRIPT, "decide")
        self._prefix = prefix
        self._source = source
        self._index = ledger_index(prefix, source.key)
        self._mail = mail_key(prefix, source, "")
        self._retention_ms = retention_ms
        self._counts_late = int(counts_late)

    def decide(self, claims: Sequence[Claim], stands: Mapping[int, Stand]) -> Decision:
        """See ports/ledger.py."""
        partitions = list(stands)
        keys = [self._index, *(checkpoint_key(self._prefix, self._source, partition) for partition in partitions)]
        retractions = [_encode(claim.retraction) for claim in claims if claim.retraction is not None]
        held = [*(stand.epoch for stand in stands.values()), *(stand.begins_at for stand in stands.values())]
        args: list[Argument] = [_pack(claims), self._retention_ms, *held, self._mail, self._counts_late]
        reply = self._decide.begin(keys, [*args, *retractions])

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

    def mail(self, after: Mapping[int, str]) -> Mapping[int, Sequence[Mail]]:
        """See ports/ledger.py."""
        if not after:
            return {}
        keys = [f"{self._mail}{partition}" for partition in after]
        ids = [last or "0" for last in after.values()]
        found = self._session.command("XREAD", "COUNT", MAIL_AT_ONCE, "STREAMS", *keys, *ids) or []
        return {int(key.rpartition(b":")[2]): [_read_mail(*entry) for entry in entries] for key, entries in found}


def mail_key(prefix: str, source: SourceIdentity, partition: int | str) -> str:
    """The stream with a partition's mail."""
    return f"{prefix}mail:{source.key}:{partition}"


def ledger_index(prefix: str, source_key: str) -> str:
    """The hash that tells how many entries the ledger of a log has and where they are."""
    return f"{prefix}ledger:{blake2b(source_key.encode(), digest_size=6).hexdigest()}"


def _pack(claims: Sequence[Claim]) -> bytes:
    pack = _CLAIM.pack
    return b"".join(
        [
            pack(digest, removed | late << 1, partition, offset >> 32, offset & 0xFFFFFFFF)
            for digest, partition, offset, removed, late, _ in claims
        ]
    )


def _encode(retraction: Retraction) -> bytes:
    """As JSON, with amounts as strings: they may be of any size."""
    token_id, symbol, is_buy, usd, token, event_time_ms = retraction
    return msgspec.json.encode((token_id, symbol, is_buy, str(usd), str(token), event_time_ms))


def _read_mail(id: bytes, fields: Sequence[bytes]) -> Mail:
    stored = dict(zip(fields[::2], fields[1::2], strict=True))
    token_id, symbol, is_buy, usd, token, event_time_ms = msgspec.json.decode(stored[b"retraction"])
    retraction = Retraction(token_id, symbol, is_buy, int(usd), int(token), event_time_ms)
    return Mail(id.decode(), int(stored[b"offset"]), int(stored[b"outcome"]) == Outcome.RETRACTED_LATE, retraction)
