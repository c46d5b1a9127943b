"""Several partitions as their workers and the store know them, and a live view that is told of them."""

from collections.abc import Iterable

from realtime.view import LiveView
from swapstats.domain.part_codec import encode_part
from swapstats.domain.stats import Part
from swapstats.ports.live_store import LiveMeta, LivePartition, Step, describe_windows
from tests.parts.live_feed import START_MS, WINDOWS

BUCKET_MS = WINDOWS[0].bucket_ms
EDGE_MS = START_MS - START_MS % BUCKET_MS


class Partitions:
    """Several partitions as their workers and the store know them. What is told is up to the test."""

    def __init__(self, count: int) -> None:
        self.view = LiveView()
        self.parts: list[dict[str, tuple[int, Part]]] = [{} for _ in range(count)]
        self.metas = [LiveMeta(f"e{n}", 0, EDGE_MS, 0, 0, describe_windows(WINDOWS)) for n in range(count)]
        self.view.replace_all("log", {number: self.stored(number) for number in range(count)})

    def stored(self, number: int) -> LivePartition:
        parts = {token: (seq, encode_part(part)) for token, (seq, part) in self.parts[number].items()}
        return LivePartition(self.metas[number], parts)

    def step(
        self,
        number: int,
        at_ms: int,
        parts: dict[str, Part] | None = None,
        gone: Iterable[str] = (),
        reorged: Iterable[str] = (),
    ) -> Step:
        before = self.metas[number]
        parts, gone = parts or {}, [token for token in gone if token in self.parts[number]]
        meta = self.metas[number] = before._replace(seq=before.seq + bool(parts or gone), as_of_ms=EDGE_MS + at_ms)
        self.parts[number].update({token: (meta.seq, part) for token, part in parts.items()})
        for token in gone:
            del self.parts[number][token]
        encoded = {token: encode_part(part) for token, part in parts.items()}
        return Step(number, before.seq, meta, encoded, gone, list(reorged))

    def tell(
        self, number: int, at_ms: int, parts: dict[str, Part] | None = None, gone: Iterable[str] = ()
    ) -> list[int]:
        return self.view.apply([self.step(number, at_ms, parts, gone)])

    def buys(self, token: str) -> int | None:
        view = self.view.token(token)
        return view.part.windows[0].buys if view else None
