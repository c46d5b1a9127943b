"""Brute force: what the archive has to answer, straight from the definition, over a plain list of rows."""

import json
import random
from collections import defaultdict
from collections.abc import Iterable, Sequence
from fractions import Fraction

from swapstats.domain.swap import Swap, event_id, occurrence_digest, token_id
from swapstats.ports.swap_archive import Candle, Interval, Price, Row, Token, Trade, TradeKey
from swapstats.ports.swap_source import SourceIdentity

SOURCE = SourceIdentity("cluster", "swaps", "one")
DAY_MS = 86_400_000
NOON_MS = 1_790_000_000_000 // DAY_MS * DAY_MS + DAY_MS // 2
GRACE_MS = 120_000
TOKENS = [
    Token(1, "0x" + "a" * 40),
    Token(1, "0x" + "b" * 40),
    Token(56, "So11111111111111111111111111111111111111112"),
]


EXTREMES = {
    "a dollar amount of 10^30": {"amount_usd": 10**36},
    "the largest amounts": {"amount_usd": 10**54 - 1, "amount_token": 10**66 - 1},
    "an amount of nothing": {"amount_usd": 0, "amount_token": 0},
    "10^30 tokens": {"amount_token": 10**48},
    "10^30 tokens and the smallest fraction": {"amount_token": 10**48 + 1, "amount_usd": 1},
    "a Solana signature": {
        "tx_hash": "5VERv8NMvzbJMEkV8xnrLkEaWRtSz9CosKDYjCJjBRnbJLgp8uirBgmQpjKhoR4tjF3ZpRzrFmBV6UjKdiSZkQUW",
        "token_address": "EPjFWdd5AufqSSqeM2qN1xzybapC8G4wEGGkZwyTDt1v",
    },
    "the highest chain id": {"chain_id": 2**63 - 1},
    "the highest numbers": {"log_index": 2**32 - 1, "block_number": 2**63 - 1},
    "the least fields": dict.fromkeys(("block_hash", "block_number", "token_symbol", "pool_address", "trader")),
    "letters of everywhere": {"token_symbol": "ΩМ漢🦄'\\\n\t%s", "trader": "0x'); DROP TABLE raw_swaps; --"},
    "characters that end strings elsewhere": {
        "tx_hash": "5\0x\n",
        "token_address": "\0a\t'\\",
        "token_symbol": "A\0🦄",
        "pool_address": "\0",
        "trader": "b\0",
    },
    "the first moment": {"event_time_ms": 0},
    "a moment in 1970": {"event_time_ms": 86_399_999},
    "a moment in 2100": {"event_time_ms": 4_102_444_800_001},
}


def make_swap(token: Token = TOKENS[0], time_ms: int = NOON_MS, **given: object) -> Swap:
    """A swap with something in every field; `given` replaces fields."""
    fields = {
        "is_buy": True,
        "amount_usd": 1_500_000,
        "amount_token": 10**18,
        "event_time_ms": time_ms,
        "removed": False,
        "block_hash": "0x" + "c" * 64,
        "block_number": 17,
        "token_symbol": "WETH",
        "chain_id": token.chain_id,
        "tx_hash": "0x" + "d" * 64,
        "log_index": 3,
        "token_address": token.address,
        "pool_address": "0x" + "e" * 40,
        "trader": "0x" + "f" * 40,
        **given,
    }
    identity = event_id(fields["chain_id"], fields["tx_hash"], fields["log_index"])
    return Swap(identity, token_id(fields["chain_id"], fields["token_address"]), **fields)


def event_json(swap: Swap) -> bytes:
    """As a record of the log."""
    amounts = {
        "amount_usd": f"{swap.amount_usd}e-6",
        "amount_token": f"{swap.amount_token}e-18",
        "event_time": swap.event_time_ms,
        "side": swap.side.value,
    }
    return json.dumps({**swap._asdict(), **amounts}).encode()


def make_row(offset: int, swap: Swap, partition: int = 0, delay_ms: int = 1000) -> Row:
    late = not swap.removed and delay_ms > GRACE_MS
    return Row(partition, offset, swap.event_time_ms + delay_ms, late, swap)


def random_log(dice: random.Random, count: int, partitions: int = 2) -> list[Row]:
    """A log with everything in it: late swaps, repetitions (also late ones, and into other partitions), retractions
    after and before their swaps, and swaps that came back in another block; offsets are without holes."""
    swaps = [_random_swap(dice, i) for i in range(count)]
    for swap in list(swaps):
        if dice.random() < 0.1:
            swaps.append(swap)
        if dice.random() < 0.1:
            swaps.insert(dice.randrange(len(swaps)), swap._replace(removed=True))
        if dice.random() < 0.05:
            swaps.append(swap._replace(block_hash="0x" + f"{dice.getrandbits(256):064x}"))
    following = dict.fromkeys(range(partitions), 0)
    return [_placed(dice, swap, following) for swap in swaps]


def _random_swap(dice: random.Random, number: int) -> Swap:
    time_ms = NOON_MS + dice.choice((0, 0, -DAY_MS)) + dice.randrange(3 * 3_600_000)
    amounts = {
        "amount_usd": dice.choice((0, dice.randrange(10**9))),
        "amount_token": dice.choice((0, dice.randrange(10**21))),
    }
    block = {"block_hash": dice.choice((None, f"0x{number:064x}")), "block_number": dice.choice((None, number))}
    who = {"trader": dice.choice((None, *(f"0x{i:040x}" for i in range(20)))), "is_buy": dice.random() < 0.5}
    return make_swap(
        dice.choice(TOKENS), time_ms, tx_hash=f"0x{number:064x}", log_index=number % 5, **amounts, **block, **who
    )


def _placed(dice: random.Random, swap: Swap, following: dict[int, int]) -> Row:
    partition = dice.randrange(len(following))
    following[partition] += 1
    delay_ms = dice.choice((0, 500, 5000, GRACE_MS, GRACE_MS + 1, 10 * GRACE_MS))
    return make_row(following[partition] - 1, swap, partition, delay_ms)


def occurrences(rows: Iterable[Row]) -> list[list[Row]]:
    """The copies of each occurrence, told apart by token and minute too, the earliest first."""
    copies = defaultdict(list)
    for row in rows:
        swap = row.swap
        copies[swap.token_id, swap.event_time_ms // 60_000, occurrence_digest(swap)].append(row)
    return [sorted(group, key=lambda row: (row.record_ms, row.partition, row.offset)) for group in copies.values()]


def stands(copies: Sequence[Row]) -> bool:
    return not any(row.swap.removed for row in copies)


def is_late(copies: Sequence[Row]) -> bool:
    return all(row.late for row in copies if not row.swap.removed)


def candles(rows: Iterable[Row], token: Token, interval: Interval, *, late: bool) -> list[Candle]:
    spans = defaultdict(list)
    for copies in occurrences(rows):
        swap = copies[0].swap
        if (swap.chain_id, swap.token_address) == token and stands(copies) and (late or not is_late(copies)):
            spans[swap.event_time_ms // interval.value * interval.value].append(swap)
    return [_candle(start, spans[start]) for start in sorted(spans)]


def _candle(start_ms: int, swaps: Sequence[Swap]) -> Candle:
    buys = [swap for swap in swaps if swap.is_buy]
    usd, buy_usd = (sum(swap.amount_usd for swap in some) for some in (swaps, buys))
    priced = sorted(
        (s for s in swaps if s.amount_token), key=lambda s: (s.event_time_ms, s.block_number or 0, s.log_index)
    )
    ranked = sorted(priced, key=lambda swap: Fraction(swap.amount_usd, swap.amount_token))
    prices = (priced[0], ranked[-1], ranked[0], priced[-1]) if priced else (None,) * 4
    return Candle(
        start_ms,
        len(swaps),
        len(buys),
        buy_usd,
        usd - buy_usd,
        sum(swap.amount_token for swap in swaps),
        *(Price(swap.amount_usd, swap.amount_token) if swap else None for swap in prices),
        len({swap.trader for swap in swaps if swap.trader}),
    )


def ratios(found: Iterable[Candle]) -> list[Candle]:
    """With prices as ratios: of several swaps with the very same price, any may be the high or the low."""
    return [candle._replace(**{name: _ratio(getattr(candle, name)) for name in ("high", "low")}) for candle in found]


def _ratio(price: Price | None) -> Fraction | None:
    return Fraction(price.usd, price.token) if price else None


def trades(rows: Iterable[Row], token: Token) -> list[Trade]:
    """Newest first."""
    found = []
    for copies in occurrences(rows):
        additions = [row for row in copies if not row.swap.removed]
        if additions and (additions[0].swap.chain_id, additions[0].swap.token_address) == token:
            swap = additions[0].swap
            found.append(Trade(_key(swap), swap, is_late(copies), not stands(copies)))
    return sorted(found, key=lambda trade: trade.key, reverse=True)


def _key(swap: Swap) -> TradeKey:
    block = f"@{swap.block_number}" if swap.block_number is not None else ""
    return TradeKey(
        swap.event_time_ms,
        swap.block_number or 0,
        swap.log_index,
        swap.tx_hash,
        f"#{swap.block_hash}" if swap.block_hash else block,
    )
