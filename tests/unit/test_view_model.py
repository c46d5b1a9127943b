"""The live view against a model that throws nothing away: every answer was exact once, and none runs back."""

from itertools import product

from hypothesis import given, settings
from hypothesis import strategies as st

from realtime.token_view import TokenView
from swapstats.domain.errors import ViewNotReady
from swapstats.domain.stats import EMPTY_WINDOW, Edge, Part, WindowPart, merge_parts
from tests.parts.live_feed import START_MS, WINDOWS
from tests.parts.live_partitions import BUCKET_MS, EDGE_MS, Partitions

A, B = "1:0xaa", "1:0xbb"
ZERO = Part(None, 0, None, (EMPTY_WINDOW,) * len(WINDOWS))
COUNT = 3
TOKENS = (A, B)
ACTIONS = st.tuples(
    st.sampled_from(["tell", "tell", "tell", "lose", "load", "ask"]),
    st.integers(0, COUNT - 1),
    st.sampled_from([0, 100, 2_000, BUCKET_MS, 2 * BUCKET_MS]),
    st.dictionaries(st.sampled_from(TOKENS), st.integers(1, 9), max_size=2),
    st.sets(st.sampled_from(TOKENS), max_size=1),
)


class Model:
    """Every state that each partition was seen in, by bucket; nothing is thrown away."""

    def __init__(self) -> None:
        self.partitions = Partitions(COUNT)
        self.seen: list[dict[int, list[dict[str, Part]]]] = [{EDGE_MS // BUCKET_MS: [{}]} for _ in range(COUNT)]
        self.holders: dict[str, set[int]] = {token: set() for token in TOKENS}
        self.answers: dict[str, set[Part]] = {token: {ZERO} for token in TOKENS}

    def note(self, number: int) -> None:
        """The view has come to where the partition stands."""
        bucket = self.partitions.metas[number].as_of_ms // BUCKET_MS
        state = {token: part for token, (_, part) in self.partitions.parts[number].items()}
        self.seen[number].setdefault(bucket, []).append(state)
        for token in state:
            self.holders[token].add(number)
        for token in TOKENS:
            self.answers[token].update(self._exact(token))

    def _exact(self, token: str) -> list[Part]:
        """The token's sums in each bucket, by what is known now. A partition that was not seen there counts as nothing
        if it held nothing of the token until then, or holds nothing of it now."""
        sums = []
        for bucket in {bucket for states in self.seen for bucket in states}:
            shares = [self._shares(states, token, bucket) for states in self.seen]
            sums += [add([part for part in parts if part]) for parts in product(*shares)]
        return sums

    def latest(self, token: str) -> Part:
        newest = [states[max(states)][-1] for states in self.seen]
        return add([state[token] for state in newest if token in state])

    @property
    def is_aligned(self) -> bool:
        return len({max(states) for states in self.seen}) == 1

    @staticmethod
    def _shares(states: dict[int, list[dict[str, Part]]], token: str, bucket: int) -> set[Part | None]:
        shares = {state.get(token) for state in states.get(bucket, [])}
        was_held = any(token in state for at, seen in states.items() if at <= bucket for state in seen)
        is_held = token in states[max(states)][-1]
        return shares if was_held and is_held else shares | {None}


def add(parts: list[Part]) -> Part:
    return merge_parts(parts) if parts else ZERO


def distinct(number: int, count: int) -> Part:
    window = WindowPart(count, number, 10**18 * count, count, 1, Edge(EDGE_MS, BUCKET_MS, count, 1))
    return Part("S", START_MS, window.oldest, (window,) * len(WINDOWS))


@settings(max_examples=300, deadline=None)
@given(st.lists(ACTIONS, max_size=30))
def test_an_answer_is_always_the_exact_sum_of_some_bucket_and_never_runs_back(actions: list) -> None:
    model, at_ms, last = Model(), [0] * COUNT, {}
    for kind, number, advance, parts, gone in actions:
        partitions, view = model.partitions, model.partitions.view
        if kind in ("tell", "lose"):
            at_ms[number] += advance
            step = partitions.step(
                number, at_ms[number], {t: distinct(number, n) for t, n in parts.items()}, gone - parts.keys()
            )
            if kind == "tell" and not view.apply([step]):
                model.note(number)
        elif kind == "load":
            view.replace(number, partitions.stored(number))
            model.note(number)
        else:
            check(model, last)
    check(model, last)


def check(model: Model, last: dict[str, TokenView]) -> None:
    for token in TOKENS:
        try:
            view = model.partitions.view.opening(token)
        except ViewNotReady:
            assert not model.is_aligned
            continue
        part, before = view.part if view.known else ZERO, last.get(token)
        assert part in model.answers[token]
        if model.is_aligned or len(model.holders[token]) < 2:
            assert part == model.latest(token)
        if before and before.epoch == view.epoch:
            assert view.seq >= before.seq
            assert view.as_of_ms >= before.as_of_ms
            assert view.seq > before.seq or part == before.part
        last[token] = view._replace(part=part)
