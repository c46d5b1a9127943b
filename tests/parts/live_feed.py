"""Drives a live view as a worker's steps would: absolute parts of one partition, each step on top of the last."""

from collections.abc import Iterable, Mapping

from realtime.view import LiveView
from swapstats.domain.part_codec import encode_part
from swapstats.domain.stats import Edge, Part, WindowPart
from swapstats.domain.window import Window
from swapstats.ports.live_store import LiveMeta, LivePartition, Step, describe_windows

WINDOWS = (Window("5m", 300_000, 5_000), Window("1h", 3_600_000, 60_000), Window("24h", 86_400_000, 60_000))
START_MS = 1_763_800_000_000


def traded(buys: int, sells: int = 0, *, price: int = 2, symbol: str | None = "USDC", at_ms: int = START_MS) -> Part:
    """Every window holds that many swaps of one token each, at `price` dollars."""
    trades = buys + sells
    edge = Edge(at_ms - at_ms % 5_000, 5_000, trades * price * 10**6, trades * 10**18) if trades else None
    window = WindowPart(buys * price * 10**6, sells * price * 10**6, trades * 10**18, buys, sells, edge)
    return Part(symbol, at_ms, edge, (window,) * len(WINDOWS))


class LiveFeed:
    """One partition. `view` starts empty; `begin` loads it."""

    def __init__(self, view: LiveView | None = None) -> None:
        self.view = view or LiveView()
        self.now_ms = START_MS
        self.epoch = "e1"
        self.seq = 0

    def begin(self, parts: Mapping[str, Part] | None = None, *, epoch: str = "e1") -> None:
        """As a web process does at its start, or when continuity was lost."""
        self.epoch, self.seq = epoch, self.seq + 1
        encoded = {token_id: (self.seq, encode_part(part)) for token_id, part in (parts or {}).items()}
        self.view.replace_all("log", {0: LivePartition(self._meta(), encoded)})

    def step(
        self, parts: Mapping[str, Part] | None = None, *, gone: Iterable[str] = (), reorged: Iterable[str] = ()
    ) -> None:
        """One tick of the worker."""
        self.now_ms += 100
        self.seq += 1
        encoded = {token_id: encode_part(part) for token_id, part in (parts or {}).items()}
        self._apply(Step(0, self.seq - 1, self._meta(), encoded, list(gone), list(reorged)))

    def pass_time(self, ms: int) -> None:
        """Ticks in which nothing changed."""
        self.now_ms += ms
        self._apply(Step(0, self.seq, self._meta(), {}, [], []))

    def _apply(self, step: Step) -> None:
        gaps = self.view.apply([step])
        assert not gaps

    def _meta(self) -> LiveMeta:
        return LiveMeta(self.epoch, self.seq, self.now_ms, self.seq, 0, describe_windows(WINDOWS))
