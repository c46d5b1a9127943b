"""Made-up tokens whose figures move, as a worker would publish them: absolute parts, and which of them changed."""

import random
from collections.abc import Iterable

from swapstats.domain.stats import Edge, Part, WindowPart
from tests.parts.live_feed import WINDOWS

CHAINS = (1, 56, 8453, 42161)
SYLLABLES = ("do", "ge", "pe", "shi", "ba", "moon", "ra", "lu", "ki", "zu", "no", "ga", "wi", "fo", "mi", "to")
USD = 10**6
TOKEN = 10**18


class Asset:
    """One token. Windows only grow: what leaves them is the window engine's matter."""

    def __init__(self, number: int, dice: random.Random, now_ms: int) -> None:
        self.symbol = "".join(dice.choices(SYLLABLES, k=dice.choice((2, 3)))).upper()
        self.token_id = f"{CHAINS[number % len(CHAINS)]}:0x{dice.getrandbits(160):040x}"
        self.price = 10 ** dice.uniform(-6, 3)
        self.weight = 1 / (number + 1) ** 0.9
        self.dice = dice
        self.now_ms = now_ms
        self.windows = [WindowPart(0, 0, 0, 0, 0, None) for _ in WINDOWS]
        for trades, drift in ((400, 0.93), (60, 0.98), (8, 1.0)):
            self.trade(now_ms, trades, drift)

    def trade(self, now_ms: int, trades: int = 1, drift: float = 1.0) -> None:
        self.now_ms = now_ms
        self.price *= drift * self.dice.lognormvariate(0, 0.004)
        self.windows = [self._with_trades(window, trades) for window in self.windows]

    def retract(self) -> None:
        """A chain takes a buy back."""
        self.windows = [
            window._replace(buys=max(0, window.buys - 1), buy_usd=window.buy_usd * 99 // 100) for window in self.windows
        ]

    def part(self) -> Part:
        return Part(self.symbol, self.now_ms, self._edge(5_000), tuple(self.windows))

    def _with_trades(self, window: WindowPart, trades: int) -> WindowPart:
        usd = int(USD * self.dice.lognormvariate(5.5, 1.2) * trades)
        buys = sum(self.dice.random() < 0.52 for _ in range(trades))
        bought = usd * buys // trades
        token = int(usd / USD / self.price * TOKEN)
        return WindowPart(
            window.buy_usd + bought,
            window.sell_usd + usd - bought,
            window.token + token,
            window.buys + buys,
            window.sells + trades - buys,
            window.oldest or self._edge(60_000),
        )

    def _edge(self, width_ms: int) -> Edge:
        return Edge(self.now_ms - self.now_ms % width_ms, width_ms, max(1, int(self.price * 1000 * USD)), 1000 * TOKEN)


class Market:
    """So many tokens, the same ones for the same seed."""

    def __init__(self, tokens: int, now_ms: int, seed: int = 7) -> None:
        dice = random.Random(seed)
        self.assets = [Asset(number, dice, now_ms) for number in range(tokens)]
        self.dice = dice

    def all(self) -> dict[str, Part]:
        return {asset.token_id: asset.part() for asset in self.assets}

    def move(self, now_ms: int, how_many: int) -> dict[str, Part]:
        """So many tokens are traded, the greater ones more often; all of them where it is as many as there are."""
        chosen: Iterable[Asset] = self.assets if how_many else ()
        if 0 < how_many < len(self.assets):
            chosen = self.dice.choices(self.assets, [asset.weight for asset in self.assets], k=how_many)
        for asset in chosen:
            asset.trade(now_ms)
        return {asset.token_id: asset.part() for asset in chosen}

    def reorg(self) -> dict[str, Part]:
        """One of the greater tokens is corrected."""
        asset = self.dice.choice(self.assets[:10])
        asset.retract()
        return {asset.token_id: asset.part()}
