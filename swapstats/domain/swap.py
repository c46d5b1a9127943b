"""A swap event as the domain knows it, and the identities of events, occurrences and tokens (CONTRACT §1)."""

import re
from enum import StrEnum
from hashlib import blake2b
from typing import NamedTuple


class Side(StrEnum):
    BUY = "buy"
    SELL = "sell"


class Swap(NamedTuple):
    """One valid swap event. Amounts are fixed-point integers, times epoch milliseconds."""

    event_id: str
    token_id: str
    is_buy: bool
    amount_usd: int
    amount_token: int
    event_time_ms: int
    removed: bool
    block_hash: str | None
    block_number: int | None
    token_symbol: str | None
    chain_id: int
    tx_hash: str
    log_index: int
    token_address: str
    pool_address: str | None
    trader: str | None

    @property
    def side(self) -> Side:
        return Side.BUY if self.is_buy else Side.SELL


class Retraction(NamedTuple):
    """What has to be known of a swap to take it out again."""

    token_id: str
    token_symbol: str | None
    is_buy: bool
    amount_usd: int
    amount_token: int
    event_time_ms: int

    @classmethod
    def of(cls, swap: Swap) -> "Retraction":
        return cls(*(getattr(swap, name) for name in cls._fields))


def event_id(chain_id: int, tx_hash: str, log_index: int) -> str:
    return f"{chain_id}:{tx_hash}:{log_index}"


def token_id(chain_id: int, token_address: str) -> str:
    return f"{chain_id}:{token_address}"


_TOKEN_ID = re.compile(r"([1-9][0-9]{0,18}):(.{1,128})", re.DOTALL)
_MAX_CHAIN_ID = 2**63 - 1


def parse_token_id(text: str) -> str | None:
    """The token identity that people mean by `text`, `<chain_id>:<token_address>` in any spelling of the address;
    None where it is none."""
    match = _TOKEN_ID.fullmatch(text)
    if match is None or int(match[1]) > _MAX_CHAIN_ID:
        return None
    return token_id(int(match[1]), canonical_identifier(match[2]))


_HEX = re.compile(r"0[xX][0-9a-fA-F]+")


def canonical_identifier(identifier: str) -> str:
    """Hexadecimal addresses and hashes in lower case; others (base58) tell upper from lower case and stay."""
    lowered = identifier.lower()
    if lowered == identifier or identifier[1:2] not in "xX" or not _HEX.fullmatch(identifier):
        return identifier
    return lowered


def occurrence_digest(swap: Swap) -> bytes:
    """16 bytes that identify an occurrence: the event in its block, so that a swap which a reorganisation put into
    another block is another occurrence, and a redelivery is the same one."""
    if swap.block_hash is not None:
        block = f"#{swap.block_hash}"
    else:
        block = "" if swap.block_number is None else f"@{swap.block_number}"
    return blake2b(f"{len(block)}{block}{swap.event_id}".encode(), digest_size=16).digest()


class InvalidReason(StrEnum):
    """Why a record is not a swap event; header `reason` of its dead letter."""

    MALFORMED_JSON = "malformed_json"
    MISSING_FIELD = "missing_field"
    BAD_FIELD = "bad_field"
    EVENT_ID_MISMATCH = "event_id_mismatch"
    FROM_THE_FUTURE = "from_the_future"
    UNSUPPORTED_SCHEMA_VERSION = "unsupported_schema_version"
    TOO_LARGE = "too_large"


class Invalid(NamedTuple):
    """A record that is no valid swap event; `detail` names what was wrong and what was expected."""

    reason: InvalidReason
    detail: str
