"""`overview:<window>`: a live top list. Its data name the tokens in their order and hold each one's stats, so that a
patch carries entries and exits as members of `tokens`, and moves as a new `ranking`:

    {"as_of": …, "total": 812, "chains": {"1": 800, "56": 12}, "totals": {"5m": {"volume_usd": …, …}, …},
     "ranking": ["1:0xa…", …], "tokens": {"1:0xa…": {the stats answer, "reorg_seq"}, …}}

`total` and `totals` cover all tokens of the list's chain, not only those shown; `chains` says how many tokens each
chain has. A token's `reorg_seq` grows whenever a retraction corrected it.
"""

import msgspec

from realtime.merge_patch import Json, diff, diff_stats
from realtime.ranking import Order, Ranking, Total
from realtime.stats_body import rfc3339, stats_body
from realtime.stream import State
from realtime.token_view import TokenView
from realtime.view import LiveView
from swapstats.domain.amount import USD_DIGITS, format_amount


class Overview:
    """`epoch` is the process's: lists of two processes are not numbered alike."""

    token_id = None

    def __init__(
        self,
        ranking: Ranking,
        view: LiveView,
        topic: str,
        order: Order,
        limit: int,
        windows: tuple[str, ...] | None,
        epoch: str,
    ) -> None:
        self.topic = topic
        self.windows = windows
        self._ranking = ranking
        self._view = view
        self._order = order
        self._limit = limit
        self._epoch = epoch
        self._state: State | None = None

    def read(self) -> State:
        """Raises ViewNotReady."""
        leaders = self._ranking.top(self._order, self._limit)
        body: Json = {
            "as_of": rfc3339(self._view.as_of_ms()),
            "total": leaders.total,
            "chains": {str(chain): count for chain, count in leaders.chains.items()},
            "totals": {name: _total_body(total) for name, total in leaders.totals.items() if self._shows(name)},
            "ranking": [view.token_id for view in leaders.views],
            "tokens": {view.token_id: self._row(view) for view in leaders.views},
        }
        self._state = self._next(body)
        return self._state

    def _next(self, body: Json) -> State:
        last = self._state
        if last is None:
            return State(self._epoch, 1, 0, body)
        if not _difference(last.content, body):
            return last._replace(content=body)
        return State(self._epoch, last.seq + 1, last.reorg_seq + _corrections(last.content, body), body)

    def body(self, content: Json) -> Json:
        return content

    def patch(self, old: Json, new: Json) -> str:
        change = _difference(old, new)
        return msgspec.json.encode(change).decode() if change else ""

    def _shows(self, window: str) -> bool:
        return self.windows is None or window in self.windows

    def _row(self, view: TokenView) -> Json:
        """A token that has not changed keeps its row."""
        row: Json | None = self._state.content["tokens"].get(view.token_id) if self._state else None
        if row is None or (row["epoch"], row["seq"]) != (view.epoch, view.seq):
            body = stats_body(view, self._view.symbols.matches(view.symbol), self.windows)
            return body | {"reorg_seq": view.reorg_seq}
        return row


def _total_body(total: Total) -> Json:
    return {
        "volume_usd": format_amount(total.buy_usd + total.sell_usd, USD_DIGITS),
        "buy_volume_usd": format_amount(total.buy_usd, USD_DIGITS),
        "sell_volume_usd": format_amount(total.sell_usd, USD_DIGITS),
        "trades": total.buys + total.sells,
        "buys": total.buys,
        "sells": total.sells,
    }


def _difference(old: Json, new: Json) -> Json:
    heads = {name: value for name, value in new.items() if name not in ("as_of", "tokens")}
    patch = diff({name: old[name] for name in heads}, heads)
    rows = {token_id: _diff_row(old["tokens"].get(token_id), row) for token_id, row in new["tokens"].items()}
    gone = {token_id: None for token_id in old["tokens"] if token_id not in new["tokens"]}
    if tokens := gone | {token_id: change for token_id, change in rows.items() if change}:
        patch["tokens"] = tokens
    return patch | {"as_of": new["as_of"]} if patch else patch


def _diff_row(old: Json | None, new: Json) -> Json:
    if old is new:
        return {}
    if old is None or old["epoch"] != new["epoch"]:
        return new if old is None else diff(old, new)
    return diff_stats(old, new)


def _corrections(old: Json, new: Json) -> int:
    """How many of the tokens in both were corrected by a retraction."""
    before = old["tokens"]
    return sum(
        token_id in before and row["reorg_seq"] > before[token_id]["reorg_seq"]
        for token_id, row in new["tokens"].items()
    )
