"""Which tokens lead, by any numeric field of a window; and what all tokens together come to."""

import heapq
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from threading import Lock
from typing import NamedTuple

from realtime.leaderboard import Field, Leaderboard, Value
from realtime.token_view import TokenView
from realtime.view import LiveView
from swapstats.domain.errors import ViewNotReady
from swapstats.domain.stats import Edge, WindowPart

MOST_KEPT = 500
MAX_BOARDS = 64
"""Orders that are followed; more are ranked anew whenever they are asked for."""


class Order(NamedTuple):
    """`window` is a window's name, `sort` one of `FIELDS`. `chain_id` leaves only that chain's tokens."""

    window: str
    sort: str = "volume_usd"
    descending: bool = True
    chain_id: int | None = None


class Total(NamedTuple):
    """The sums of all tokens in one window; USD in 10^-6."""

    buy_usd: int = 0
    sell_usd: int = 0
    buys: int = 0
    sells: int = 0

    def plus(self, sums: WindowPart, sign: int) -> "Total":
        return Total(
            self.buy_usd + sign * sums.buy_usd,
            self.sell_usd + sign * sums.sell_usd,
            self.buys + sign * sums.buys,
            self.sells + sign * sums.sells,
        )


class Leaders(NamedTuple):
    """The first tokens of an order; how many it covers and what they come to; how many tokens each chain has."""

    views: list[TokenView]
    total: int
    totals: dict[str, Total]
    chains: dict[int, int]


def _price(edge: Edge | None) -> Value:
    return edge.usd / edge.token if edge and edge.token else None


def _change(newest: Edge | None, oldest: Edge | None) -> Value:
    if not newest or not oldest or not newest.token or not oldest.token or not oldest.usd:
        return None
    return (newest.usd * oldest.token) / (oldest.usd * newest.token)


FIELDS: Mapping[str, Callable[[TokenView, WindowPart], Value]] = {
    "volume_usd": lambda _, sums: sums.usd,
    "buy_volume_usd": lambda _, sums: sums.buy_usd,
    "sell_volume_usd": lambda _, sums: sums.sell_usd,
    "volume_token": lambda _, sums: sums.token,
    "trades": lambda _, sums: sums.trades,
    "buys": lambda _, sums: sums.buys,
    "sells": lambda _, sums: sums.sells,
    "vwap_usd": lambda _, sums: sums.usd / sums.token if sums.token else None,
    "price_change_pct": lambda view, sums: _change(view.part.newest, sums.oldest),
    "price_usd": lambda view, _: _price(view.part.newest),
    "last_event_at": lambda view, _: view.part.last_event_ms or None,
}
"""What can be sorted by. Ratios are compared as floats, which only decides the order, never a value that is shown."""


class Ranking:
    """Keeps the latest view of every token at hand, looking only at those that changed since it was last asked. For
    any thread."""

    def __init__(self, view: LiveView) -> None:
        self._view = view
        self._lock = Lock()
        self._views: dict[str, TokenView] = {}
        self._totals: defaultdict[int, defaultdict[str, Total]] = defaultdict(lambda: defaultdict(Total))
        self._chains: Counter[int] = Counter()
        self._boards: dict[Order, Leaderboard] = {}
        self._noted: set[str] = set(view.token_ids())
        view.subscribe(self._note)

    def top(self, order: Order, limit: int) -> Leaders:
        """The first `limit` tokens. Ties are broken by the token's id, so that a list stays as it is while nothing
        changes; tokens without the value come last. Raises ViewNotReady."""
        with self._lock:
            self._refresh()
            chains, totals = dict(sorted(self._chains.items())), self._sum(order.chain_id)
            count = len(self._views) if order.chain_id is None else chains.get(order.chain_id, 0)
            return Leaders(self._leaders(order, min(limit, count)), count, totals, chains)

    def _leaders(self, order: Order, limit: int) -> list[TokenView]:
        if limit <= MOST_KEPT:
            ids = self._board(order).first(limit, self._views)
            if len(ids) == limit:
                return [self._views[token_id] for token_id in ids]
        return _first(self._covered(order.chain_id), order, limit)

    def _board(self, order: Order) -> Leaderboard:
        board = self._boards.pop(order, None) or Leaderboard(field_of(order))
        self._boards[order] = board
        while len(self._boards) > MAX_BOARDS:
            del self._boards[next(iter(self._boards))]
        return board

    def _covered(self, chain_id: int | None) -> list[TokenView]:
        if chain_id is None:
            return list(self._views.values())
        return [view for view in self._views.values() if _chain(view) == chain_id]

    def _sum(self, chain_id: int | None) -> dict[str, Total]:
        chains: Iterable[Mapping[str, Total]] = self._totals.values()
        if chain_id is not None:
            chains = [self._totals.get(chain_id, {})]
        names = [window.name for window in self._view.windows]
        return {name: _added_up(chain.get(name, Total()) for chain in chains) for name in names}

    def _refresh(self) -> None:
        self._view.as_of_ms()
        noted, self._noted = self._noted, set()
        for board in self._boards.values():
            board.note(noted)
        for token_id in noted:
            try:
                self._file(token_id, self._view.token(token_id))
            except ViewNotReady:
                self._noted.add(token_id)

    def _file(self, token_id: str, view: TokenView | None) -> None:
        if before := self._views.pop(token_id, None):
            self._count(before, -1)
        if view:
            self._views[token_id] = view
            self._count(view, 1)

    def _count(self, view: TokenView, sign: int) -> None:
        chain = _chain(view)
        self._chains[chain] += sign
        totals = self._totals[chain]
        for window, sums in zip(view.windows, view.part.windows, strict=True):
            totals[window.name] = totals[window.name].plus(sums, sign)
        if not self._chains[chain]:
            del self._chains[chain], self._totals[chain]

    def _note(self, changed: Iterable[str]) -> None:
        with self._lock:
            self._noted.update(changed)


def _added_up(totals: Iterable[Total]) -> Total:
    return Total(*map(sum, zip(*totals, strict=True)))


def _chain(view: TokenView) -> int:
    return int(view.token_id.partition(":")[0])


def field_of(order: Order) -> Field:
    """What an order is sorted by."""
    field = FIELDS[order.sort]

    def value(view: TokenView) -> Value:
        if order.chain_id is not None and _chain(view) != order.chain_id:
            return None
        return next((field(view, sums) for view, sums in _in_window((view,), order.window)), None)

    return Field(value, order.descending)


def _first(views: Iterable[TokenView], order: Order, limit: int) -> list[TokenView]:
    field = FIELDS[order.sort]
    valued: list[tuple[float, str, TokenView]] = []
    rest: list[tuple[str, TokenView]] = []
    for view, sums in _in_window(views, order.window):
        value = field(view, sums)
        if value is None:
            rest.append((view.token_id, view))
        else:
            valued.append((value, view.token_id, view))
    leaders = (heapq.nlargest if order.descending else heapq.nsmallest)(limit, valued)
    last = heapq.nsmallest(limit - len(leaders), rest)
    return [view for _, _, view in leaders] + [view for _, view in last]


def _in_window(views: Iterable[TokenView], name: str) -> Iterator[tuple[TokenView, WindowPart]]:
    """Each view with its sums in that window. Views that hold the same windows mostly share one description of them."""
    windows, index = None, None
    for view in views:
        if view.windows is not windows:
            windows = view.windows
            index = next((number for number, window in enumerate(windows) if window.name == name), None)
        if index is not None:
            yield view, view.part.windows[index]
