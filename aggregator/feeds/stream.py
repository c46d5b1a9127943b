"""A stream of swap records with everything that a real log has: duplicates, disorder, late ones, reorganisations and
garbage. Deterministic: the same seed and the same calls give the same records."""

import heapq
import json
import random
from collections import deque
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, Literal, NamedTuple

from aggregator.feeds.garbage import garbage
from aggregator.feeds.market import Chain, Market, Token

KeyBy = Literal["token", "event", "none"]

_SOON_MS = (200, 30_000)
"""Within this a duplicate, a retraction or a re-inclusion follows."""


@dataclass(frozen=True)
class Shares:
    """Of all fresh swaps, how many meet which fate; `reincluded` and `retracted_first` are shares of the reorged."""

    duplicate: float = 0.02
    late: float = 0.005
    out_of_order: float = 0.05
    invalid: float = 0.002
    reorged: float = 0.01
    reincluded: float = 0.5
    retracted_first: float = 0.1


class Outgoing(NamedTuple):
    """A record to be sent, with its timestamp."""

    key: bytes | None
    value: bytes
    timestamp_ms: int


class _Scheduled(NamedTuple):
    due_ms: int
    number: int
    key: bytes | None
    event: dict[str, Any]


class SwapStream:
    """Records in the order of sending. `grace_ms` is how late a swap may come, `max_bytes` how large a record may
    be."""

    def __init__(
        self, market: Market, shares: Shares, rng: random.Random, key_by: KeyBy, grace_ms: int, max_bytes: int
    ) -> None:
        self._market = market
        self._shares = shares
        self._rng = rng
        self._key_by = key_by
        self._grace_ms = grace_ms
        self._max_bytes = max_bytes
        self._scheduled: list[_Scheduled] = []
        self._ready: deque[Outgoing] = deque()
        self._number = 0

    def next(self, now_ms: int) -> Outgoing:
        """The record to be sent at `now_ms`: one that was put off until now, or a fresh one."""
        while not self._ready:
            if self._scheduled and self._scheduled[0].due_ms <= now_ms:
                put_off = heapq.heappop(self._scheduled)
                self._ready.append(_outgoing(put_off.key, put_off.event, now_ms))
            else:
                self._make(now_ms)
        return self._ready.popleft()

    def drain(self, now_ms: int) -> list[Outgoing]:
        """Everything that was still put off, so that what began also ends."""
        left = [_outgoing(item.key, item.event, now_ms) for item in sorted(self._scheduled)]
        self._scheduled.clear()
        return left

    def _make(self, now_ms: int) -> None:
        """A fresh swap, and what follows from it."""
        rng, shares = self._rng, self._shares
        token = self._market.pick()
        event = self._event(token, now_ms)
        key = self._key(token, event)
        if rng.random() < shares.invalid:
            self._ready.append(Outgoing(key, garbage(rng, event, self._max_bytes), now_ms))
            return
        sent_ms = now_ms
        if rng.random() < shares.late:
            late_ms = event_ms(event) - self._grace_ms - rng.randrange(1_000, 600_000)
            event["event_time"] = _rfc3339(late_ms)
        elif rng.random() < shares.out_of_order:
            sent_ms += rng.randrange(50, max(51, self._grace_ms // 3))
        if rng.random() < shares.reorged:
            self._reorganise(token, key, event, sent_ms)
        else:
            self._send(sent_ms, now_ms, key, event)
        if rng.random() < shares.duplicate:
            self._put_off(sent_ms + rng.randrange(*_SOON_MS), key, event)

    def _reorganise(self, token: Token, key: bytes | None, event: dict[str, Any], sent_ms: int) -> None:
        """The swap's block is given up: its retraction follows, or even comes first; perhaps another block takes it."""
        rng = self._rng
        first, second = event, {**event, "removed": True}
        if rng.random() < self._shares.retracted_first:
            first, second = second, first
        self._put_off(sent_ms, key, first)
        retracted_ms = sent_ms + rng.randrange(*_SOON_MS)
        self._put_off(retracted_ms, key, second)
        if rng.random() < self._shares.reincluded:
            block = {"block_number": event["block_number"] + 1, "block_hash": token.chain.identifier(rng, 32)}
            self._put_off(retracted_ms + rng.randrange(*_SOON_MS), key, {**event, **block})

    def _send(self, sent_ms: int, now_ms: int, key: bytes | None, event: dict[str, Any]) -> None:
        if sent_ms > now_ms:
            self._put_off(sent_ms, key, event)
        else:
            self._ready.append(_outgoing(key, event, now_ms))

    def _put_off(self, due_ms: int, key: bytes | None, event: dict[str, Any]) -> None:
        self._number += 1
        heapq.heappush(self._scheduled, _Scheduled(due_ms, self._number, key, event))

    def _event(self, token: Token, now_ms: int) -> dict[str, Any]:
        rng, chain = self._rng, token.chain
        number = now_ms // chain.block_ms
        usd = min(10 ** rng.gauss(2.3, 0.8), 5e6)
        tx_hash, log_index = chain.identifier(rng, 32), rng.randrange(400)
        return {
            "event_id": f"{chain.chain_id}:{tx_hash}:{log_index}",
            "chain_id": chain.chain_id,
            "tx_hash": tx_hash,
            "log_index": log_index,
            "token_address": token.address,
            "token_symbol": token.symbol,
            "pool_address": token.pool,
            "trader": self._market.trader(chain),
            "side": rng.choice(("buy", "sell")),
            "amount_token": f"{usd / token.price:.18f}",
            "amount_usd": f"{usd:.6f}",
            "event_time": _rfc3339(max(number * chain.block_ms, now_ms - 2_000)),
            "block_number": number,
            "block_hash": _block_hash(chain, number),
            "removed": False,
            "schema_version": 1,
        }

    def _key(self, token: Token, event: dict[str, Any]) -> bytes | None:
        match self._key_by:
            case "token":
                return f"{token.chain.chain_id}:{token.address}".encode()
            case "event":
                return str(event["event_id"]).encode()
            case "none":
                return None


@lru_cache(maxsize=1_000)
def _block_hash(chain: Chain, number: int) -> str:
    """The same for all swaps of a block."""
    return chain.identifier(random.Random(f"{chain.chain_id} {number}"), 32)


def _outgoing(key: bytes | None, event: dict[str, Any], now_ms: int) -> Outgoing:
    return Outgoing(key, json.dumps(event, separators=(",", ":")).encode(), now_ms)


def _rfc3339(time_ms: int) -> str:
    moment = datetime.fromtimestamp(time_ms / 1000, UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def event_ms(event: dict[str, Any]) -> int:
    """The event time of an event whose time is an RFC 3339 string or epoch milliseconds."""
    time = event["event_time"]
    if isinstance(time, int):
        return time
    moment = datetime.fromisoformat(time)
    return round(moment.timestamp() * 1000)
