"""Which tokens lead: all known tokens in the order of any numeric field of a window."""

import heapq
from collections.abc import Callable, Iterable, Iterator, Mapping
from threading import Lock
from typing import NamedTuple

from realtime.token_view import TokenView
from realtime.view import LiveView
from swapstats.domain.errors import ViewNotReady
from swapstats.domain.stats import Edge, WindowPart

Value = float | None


class Order(NamedTuple):
    """`window` is a window's name, `sort` one of `FIELDS`. `chain_id` leaves only that chain's tokens."""

    window: str
    sort: str = "volume_usd"
    descending: bool = True
    chain_id: int | None = None


def _price(usd: int, token: int) -> float | None:
    return usd / token if token else None


def _change(newest: Edge | None, oldest: Edge | None) -> float | None:
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
    "vwap_usd": lambda _, sums: _price(sums.usd, sums.token),
    "price_change_pct": lambda view, sums: _change(view.part.newest, sums.oldest),
}
"""What can be sorted by. Ratios are compared as floats, which only decides the order, never a value that is shown."""


class Ranking:
    """Keeps the latest view of every token at hand, looking only at those that changed since it was last asked. For
    any thread."""

    def __init__(self, view: LiveView) -> None:
        self._view = view
        self._lock = Lock()
        self._views: dict[str, TokenView] = {}
        self._noted: set[str] = set(view.token_ids())
        view.subscribe(self._note)

    def top(self, order: Order, limit: int) -> tuple[list[TokenView], int]:
        """The first `limit` tokens, and how many there are in all. Ties are broken by the token's id, so that a list
        stays as it is while nothing changes; tokens without the value come last. Raises ViewNotReady."""
        views = self._known(order.chain_id)
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
        return [view for _, _, view in leaders] + [view for _, view in last], len(views)

    def _known(self, chain_id: int | None) -> list[TokenView]:
        with self._lock:
            self._refresh()
            prefix = "" if chain_id is None else f"{chain_id}:"
            return [view for view in self._views.values() if view.token_id.startswith(prefix)]

    def _refresh(self) -> None:
        self._view.as_of_ms()
        noted, self._noted = self._noted, set()
        for token_id in noted:
            try:
                view = self._view.token(token_id)
            except ViewNotReady:
                self._noted.add(token_id)
                continue
            if view is None:
                self._views.pop(token_id, None)
            else:
                self._views[token_id] = view

    def _note(self, changed: Iterable[str]) -> None:
        with self._lock:
            self._noted.update(changed)


def _in_window(views: Iterable[TokenView], name: str) -> Iterator[tuple[TokenView, WindowPart]]:
    """Each view with its sums in that window. Views that hold the same windows mostly share one description of them."""
    windows, index = None, None
    for view in views:
        if view.windows is not windows:
            windows = view.windows
            index = next((number for number, window in enumerate(windows) if window.name == name), None)
        if index is not None:
            yield view, view.part.windows[index]
