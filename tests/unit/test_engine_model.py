"""The window engine against a list of swaps, summed up anew for each question."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from aggregator.snapshot.codec import decode_segment, encode_segment
from aggregator.windows.engine import WindowEngine
from swapstats.domain.stats import EMPTY_WINDOW, Edge, Part, WindowPart
from swapstats.domain.swap import Swap
from swapstats.domain.window import Window

S = 1_000
WINDOWS = (
    Window("1h", 3_600 * S, 60 * S),
    Window("20s", 20 * S, 5 * S),
    Window("10m", 600 * S, 60 * S),
    Window("5m", 300 * S, 5 * S),
)
START = 1_700_000_000 * S
MARGIN = 180 * S
TOKENS = ["1:a", "1:b", "2:a"]

offsets = st.sampled_from([-4_000, -3_700, -3_599, -700, -600, -599, -301, -299, -60, -21, -19, -5, 0, 3, 59, 65])
amounts = st.sampled_from([0, 1, 10**6, 2**63, 2**123, 10**48]) | st.integers(0, 10**9)
steps = st.sampled_from([0, 1, 4_999, 5_000, 20_000, 60_000, 181_000, 299_999, 600_000, 3_600_000, 4_000_000])


@dataclass
class Model:
    """What was applied and not taken out again."""

    swaps: list[Swap] = field(default_factory=list)

    def part(self, token: str, now_ms: int) -> Part | None:
        mine = [swap for swap in self.swaps if swap.token_id == token]
        windows = tuple(self._window(mine, window, now_ms) for window in WINDOWS)
        if not any(any(window) for window in windows):
            return None
        newest, last_ms = self._newest(mine, now_ms)
        symbols = [swap.token_symbol for swap in mine if swap.token_symbol]
        return Part(symbols[-1] if symbols else None, last_ms, newest, windows)

    def _window(self, swaps: Iterable[Swap], window: Window, now_ms: int) -> WindowPart:
        inside = _covered(swaps, window, now_ms)
        if not inside:
            return EMPTY_WINDOW
        buys, sells = [s for s in inside if s.is_buy], [s for s in inside if not s.is_buy]
        oldest = min(swap.event_time_ms // window.bucket_ms for swap in inside)
        usd_of_buys, usd_of_sells = (sum(swap.amount_usd for swap in side) for side in (buys, sells))
        amount = sum(swap.amount_token for swap in inside)
        edge = _edge(inside, window.bucket_ms, oldest)
        return WindowPart(usd_of_buys, usd_of_sells, amount, len(buys), len(sells), edge)

    def _newest(self, swaps: Iterable[Swap], now_ms: int) -> tuple[Edge | None, int]:
        for width in (5 * S, 60 * S):
            widest = max((w for w in WINDOWS if w.bucket_ms == width), key=lambda window: window.length_ms)
            inside = _covered(swaps, widest, now_ms)
            if inside:
                newest = max(swap.event_time_ms // width for swap in inside)
                return _edge(inside, width, newest), max(swap.event_time_ms for swap in inside)
        return None, 0


def _covered(swaps: Iterable[Swap], window: Window, now_ms: int) -> list[Swap]:
    first, last = window.first_bucket(now_ms), now_ms // window.bucket_ms
    return [swap for swap in swaps if first <= swap.event_time_ms // window.bucket_ms <= last]


def _edge(swaps: Iterable[Swap], width_ms: int, bucket: int) -> Edge:
    mine = [swap for swap in swaps if swap.event_time_ms // width_ms == bucket]
    usd, amount = sum(swap.amount_usd for swap in mine), sum(swap.amount_token for swap in mine)
    return Edge(bucket * width_ms, width_ms, usd, amount)


class EngineMachine(RuleBasedStateMachine):
    """Anything may happen to an engine in any order: swaps, retractions, time, checkpoints, restarts from them."""

    @initialize()
    def begin(self) -> None:
        self.now_ms = START
        self.model = Model()
        self.engine = WindowEngine(WINDOWS, MARGIN, START)
        self.saved: dict[tuple[int, int], bytes] = {}
        self.kept: list[Swap] = []
        self.seen: dict[str, Part | None] = {}
        self.retracted = False

    @rule(
        token=st.sampled_from(TOKENS),
        buy=st.booleans(),
        usd=amounts,
        amount=amounts,
        at=offsets,
        ms=st.integers(0, 999),
    )
    def apply(self, token: str, buy: bool, usd: int, amount: int, at: int, ms: int) -> None:
        event_ms = self.now_ms + at * S + ms
        identity = (1, "0xaa", 0, token.partition(":")[2], None, None)
        swap = Swap("1:0xaa:0", token, buy, usd, amount, event_ms, False, None, None, token.upper(), *identity)
        self.engine.apply(swap)
        self.model.swaps.append(swap)

    @precondition(lambda self: self.model.swaps)
    @rule(data=st.data())
    def retract(self, data: st.DataObject) -> None:
        swap = data.draw(st.sampled_from(self.model.swaps))
        self.engine.retract(swap)
        self.model.swaps.remove(swap)
        self.retracted = True

    @rule(step=steps)
    def advance(self, step: int) -> None:
        self.now_ms += step
        self.engine.advance(self.now_ms)
        self._expire()

    def _expire(self) -> None:
        """What the engine does not hold any more cannot be retracted from it; it is outside all windows for good."""
        self.model.swaps = [s for s in self.model.swaps if s.event_time_ms > self.now_ms - 3_600 * S - MARGIN]

    @rule()
    def save(self) -> None:
        """As a checkpoint does: what is dirty first, then what is dropped."""
        for width, index, segment in self.engine.take_dirty():
            self.saved[width, index] = encode_segment(segment)
        for key in self.engine.take_dropped():
            self.saved.pop(key, None)
        self.kept = list(self.model.swaps)

    @rule(behind=st.sampled_from([0, 0, 1, 5_000, 60_000]))
    def restart(self, behind: int) -> None:
        """Another takes over from the checkpoint, whose time may be a little behind."""
        self.now_ms -= behind
        self.engine = WindowEngine(WINDOWS, MARGIN, self.now_ms)
        for (width, index), data in sorted(self.saved.items()):
            self.engine.load(width, index, decode_segment(data))
        self.model.swaps = list(self.kept)
        self.seen = {}
        self._expire()

    @rule()
    def take_changes(self) -> None:
        """Whatever differs from what was last told is told."""
        told = self.engine.take_changes().tokens
        for token in TOKENS:
            part = self.engine.part(token)
            assert token in told or part == self.seen.get(token)
            self.seen[token] = part

    @invariant()
    def parts_are_what_was_applied(self) -> None:
        for token in TOKENS:
            part, expected = self.engine.part(token), self.model.part(token, self.now_ms)
            if part is None or expected is None:
                assert part is expected
                continue
            assert (part.newest, part.windows) == (expected.newest, expected.windows)
            assert part.symbol == expected.symbol
            self._check_last_event(part, expected)

    def _check_last_event(self, part: Part, expected: Part) -> None:
        assert part.newest
        if self.retracted:
            assert part.newest.start_ms <= part.last_event_ms < part.newest.start_ms + part.newest.width_ms
        else:
            assert part.last_event_ms == expected.last_event_ms

    @invariant()
    def tokens_are_those_with_parts(self) -> None:
        held = {token for token in TOKENS if self.engine.part(token)}
        assert held == self.engine.tokens()


TestEngine = EngineMachine.TestCase
TestEngine.settings = settings(max_examples=settings().max_examples, stateful_step_count=30)
