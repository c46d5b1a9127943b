"""A made-up market: tokens on several chains, with prices that wander and popularity after Zipf."""

import random
from dataclasses import dataclass
from itertools import accumulate

_BASE58 = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
_SYLLABLES = ("BO", "CAT", "DOG", "FLO", "GEM", "INU", "KI", "LU", "MOON", "NO", "PE", "RA", "SHI", "TO", "WIF", "ZU")
_TICK_SIZE = 0.002


@dataclass(frozen=True)
class Chain:
    """A chain's id, the time between its blocks, and whether its identifiers are hexadecimal (else base58)."""

    chain_id: int
    block_ms: int
    is_hex: bool

    def identifier(self, rng: random.Random, size: int) -> str:
        """A random address or hash of `size` bytes."""
        if self.is_hex:
            return f"0x{rng.getrandbits(size * 8):0{size * 2}x}"
        return "".join(rng.choices(_BASE58, k=size * 11 // 8))


CHAINS = (Chain(1, 12_000, True), Chain(8453, 2_000, True), Chain(56, 3_000, True), Chain(1_399_811_149, 400, False))


@dataclass
class Token:
    """A token, its only pool and its price now, in USD."""

    chain: Chain
    address: str
    symbol: str
    pool: str
    price: float


class Market:
    """`count` tokens; the i-th is traded 1 / i^`exponent` as often as the first."""

    def __init__(self, rng: random.Random, count: int, exponent: float) -> None:
        self._rng = rng
        self.tokens = [self._token(i) for i in range(count)]
        self._weights = list(accumulate((i + 1) ** -exponent for i in range(count)))
        self._traders = {chain: [chain.identifier(rng, 20) for _ in range(500)] for chain in CHAINS}

    def _token(self, i: int) -> Token:
        rng, chain = self._rng, CHAINS[i % len(CHAINS)]
        symbol = "".join(rng.choices(_SYLLABLES, k=rng.choice((1, 2, 2, 3))))
        price = 10 ** rng.uniform(-7, 3.5)
        return Token(chain, chain.identifier(rng, 20), symbol, chain.identifier(rng, 20), price)

    def pick(self) -> Token:
        """The token of the next trade; its price moves on."""
        token = self._rng.choices(self.tokens, cum_weights=self._weights)[0]
        token.price *= 1 + self._rng.gauss(0, _TICK_SIZE)
        return token

    def trader(self, chain: Chain) -> str:
        return self._rng.choice(self._traders[chain])
