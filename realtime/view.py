"""The live view: the latest stats of every token, held in RAM by each web process.

It takes what workers tell (`apply`, `replace`, `replace_all`) and answers for any token (`token`, `opening`), without
any I/O. Nothing is merged until someone asks, so a step costs what it changed and no more.

A token's parts in several partitions add up only when all were evaluated in the same bucket of the finest width;
then they are for the coarser ones too. Partitions cross a bucket's edge one after the other, so each is asked for the
newest bucket that all have reached. One that falls further behind (its worker died) leaves the tokens that it shares
as they were last merged: exact, and a little old, rather than fresh and wrong.

Any thread may ask. One thread tells. A view that was merged since the last step is handed out without a lock.
"""

import logging
from collections.abc import Callable, Collection, Iterable, Mapping
from contextlib import suppress
from threading import Lock
from typing import NamedTuple

from realtime.partition import Entry, PartitionState, Share, continues
from realtime.symbols import SymbolIndex
from realtime.token_view import TokenView, later, merge_shares, same_entries
from swapstats.domain.errors import ViewNotReady
from swapstats.domain.stats import EMPTY_WINDOW, Part
from swapstats.domain.window import Window
from swapstats.ports.live_store import LiveMeta, LivePartition, Step

log = logging.getLogger(__name__)

Listener = Callable[[frozenset[str]], None]
"""Called with the ids of tokens whose stats may have changed."""


class _Merged(NamedTuple):
    version: int
    shares: tuple[Share, ...]
    view: TokenView


class LiveView:
    def __init__(self) -> None:
        self.source: str | None = None
        self.symbols = SymbolIndex(self._peek)
        self._lock = Lock()
        self._version = 0
        self._complete_since_ms = 0
        self._partitions: dict[int, PartitionState] = {}
        self._holders: dict[str, tuple[PartitionState, ...]] = {}
        self._shared: set[str] = set()
        self._merged: dict[str, _Merged] = {}
        self._watched: set[str] = set()
        self._listeners: tuple[Listener, ...] = (self.symbols.note,)

    # What readers ask

    def token(self, token_id: str) -> TokenView | None:
        """The token's stats; None for one that has no swap in any window. Raises ViewNotReady."""
        view = self._current(token_id)
        return view if view and view.known else None

    def opening(self, token_id: str) -> TokenView:
        """What a watcher begins with: the token's stats, zeros where it is unknown. Raises ViewNotReady."""
        return self._current(token_id) or self._nothing(token_id)

    def require_loaded(self) -> None:
        """Raises ViewNotReady until the store was read for the first time, be it to find nothing."""
        if self.source is None:
            raise ViewNotReady("the live view is not loaded yet")

    def token_ids(self) -> list[str]:
        """All tokens held now, among them perhaps a few that are no longer known."""
        return list(self._holders)

    @property
    def windows(self) -> tuple[Window, ...]:
        """The windows that the workers keep. Raises ViewNotReady while none is loaded."""
        return max(self._states(), key=lambda state: state.meta.as_of_ms).windows

    def as_of_ms(self) -> int:
        """Until when all partitions are known. Raises ViewNotReady while none is loaded."""
        return min(state.meta.as_of_ms for state in self._states())

    def lag_ms(self, now_ms: int) -> int | None:
        """The age of the stalest partition; None while none is loaded."""
        return max(0, now_ms - self.as_of_ms()) if self._partitions else None

    def metas(self) -> dict[int, LiveMeta]:
        """Where each partition stands."""
        return {number: state.meta for number, state in list(self._partitions.items())}

    # Who wants to hear

    def subscribe(self, listener: Listener) -> Callable[[], None]:
        """Call `listener` after each change, in the thread that tells; returns how to stop that."""
        with self._lock:
            self._listeners = (*self._listeners, listener)

        def unsubscribe() -> None:
            with self._lock:
                self._listeners = tuple(other for other in self._listeners if other is not listener)

        return unsubscribe

    def watch(self, token_id: str) -> None:
        """Keep the token's continuity (epoch and seq) even when its last swap leaves the windows."""
        self._watched.add(token_id)

    def unwatch(self, token_id: str) -> None:
        self._watched.discard(token_id)

    # What the feed tells

    def apply(self, steps: Iterable[Step]) -> list[int]:
        """Take the steps; returns the partitions that have to be loaded anew, because steps of them were missed."""
        gaps: list[int] = []
        changed: set[str] = set()
        with self._lock:
            for step in steps:
                if not self._take(step, changed):
                    gaps.append(step.partition)
            self._settle()
        self._tell(changed)
        return gaps

    def replace(self, number: int, partition: LivePartition) -> None:
        """Take a partition as it was loaded, unless it is older than what is held."""
        changed: set[str] = set()
        with self._lock:
            self._install(number, partition, changed)
            self._settle()
        self._tell(changed)

    def replace_all(self, source: str, partitions: Mapping[int, LivePartition]) -> None:
        """Begin anew with another log, or after whatever else made all that is held doubtful."""
        with self._lock:
            changed = set(self._holders)
            for state in (self._partitions, self._holders, self._shared, self._merged):
                state.clear()
            for number, partition in partitions.items():
                self._begin(number, partition, changed)
            self.source = source
            self._settle()
        self._tell(changed)

    def _settle(self) -> None:
        """What was merged before is no longer the latest. Any partition may hold swaps of any token, also one that has
        told nothing of it yet; so windows are complete from when all partitions are."""
        self._version += 1
        self._complete_since_ms = max((state.meta.complete_since_ms for state in self._partitions.values()), default=0)

    # Taking steps

    def _take(self, step: Step, changed: set[str]) -> bool:
        """False where the step does not follow on what is held."""
        state, meta = self._partitions.get(step.partition), step.meta
        if step.whole:
            self._take_whole(step, changed)
            return True
        if state is None or not continues(state.meta, meta) or step.prev_seq > state.meta.seq:
            return False
        if meta.seq > state.meta.seq:
            self._move(state, meta, changed)
            self._write(state, step, changed)
        elif meta.seq == state.meta.seq and meta.as_of_ms > state.meta.as_of_ms:
            self._move(state, meta, changed)
        return True

    def _take_whole(self, step: Step, changed: set[str]) -> None:
        state = self._partitions.get(step.partition)
        if state is None or step.meta.as_of_ms >= state.meta.as_of_ms:
            parts = {token_id: (step.meta.seq, data) for token_id, data in step.parts.items()}
            self._install(step.partition, LivePartition(step.meta, parts), changed, step.reorged)

    def _move(self, state: PartitionState, meta: LiveMeta, changed: set[str]) -> None:
        if state.leaves_bucket(meta.as_of_ms):
            self._forget_gone(state)
            self._remember_shared(state)
            changed |= self._held_back()
        state.advance(meta)

    def _write(self, state: PartitionState, step: Step, changed: set[str]) -> None:
        reorged = set(step.reorged)
        for token_id, data in step.parts.items():
            self._put(state, token_id, step.meta.seq, data, reorged=token_id in reorged)
        for token_id in step.gone:
            state.remove(token_id, step.meta.seq, reorged=token_id in reorged)
        changed.update(step.parts, step.gone)

    def _put(self, state: PartitionState, token_id: str, seq: int, data: bytes, *, reorged: bool) -> None:
        if token_id not in state.entries:
            self._add_holder(token_id, state)
        state.write(token_id, seq, data, reorged=reorged)

    # Taking whole partitions

    def _install(self, number: int, partition: LivePartition, changed: set[str], reorged: Collection[str] = ()) -> None:
        state = self._partitions.get(number)
        if state is None or not continues(state.meta, partition.meta):
            self._begin(number, partition, changed)
        elif (partition.meta.seq, partition.meta.as_of_ms) >= (state.meta.seq, state.meta.as_of_ms):
            self._catch_up(state, partition, changed, reorged)

    def _begin(self, number: int, partition: LivePartition, changed: set[str]) -> None:
        """A partition that nothing continues."""
        if old := self._partitions.get(number):
            self._remember_shared(old)
            changed.update(old.entries)
            for token_id in old.entries:
                self._drop_holder(token_id, number)
        entries = {token_id: Entry(seq, data) for token_id, (seq, data) in partition.parts.items()}
        self._partitions[number] = state = PartitionState(number, partition.meta, entries)
        for token_id in entries:
            self._add_holder(token_id, state)
        changed.update(entries)

    def _catch_up(
        self, state: PartitionState, partition: LivePartition, changed: set[str], reorged: Collection[str]
    ) -> None:
        """All steps at once that lie between what is held and what was loaded."""
        self._move(state, partition.meta, changed)
        for token_id, (seq, data) in partition.parts.items():
            entry = state.entries.get(token_id)
            if entry is None or entry.seq != seq or entry.gone:
                self._put(state, token_id, seq, data, reorged=token_id in reorged)
                changed.add(token_id)
        for token_id in state.entries.keys() - partition.parts.keys() - state.gone:
            state.remove(token_id, partition.meta.seq, reorged=token_id in reorged)
            changed.add(token_id)

    def _add_holder(self, token_id: str, state: PartitionState) -> None:
        holders = (*self._holders.get(token_id, ()), state)
        self._holders[token_id] = holders
        if len(holders) > 1:
            self._shared.add(token_id)

    def _drop_holder(self, token_id: str, number: int) -> None:
        holders = tuple(state for state in self._holders[token_id] if state.number != number)
        if holders:
            self._holders[token_id] = holders
        else:
            del self._holders[token_id]
            self._merged.pop(token_id, None)
        if len(holders) < 2:
            self._shared.discard(token_id)

    # At the edge of a bucket

    def _forget_gone(self, state: PartitionState) -> None:
        """Let go of tokens that nobody watches and no partition further behind has to be merged with."""
        if any(other.bucket < state.bucket for other in self._partitions.values()):
            return
        for token_id in state.gone - self._watched:
            state.forget(token_id)
            self._drop_holder(token_id, state.number)

    def _remember_shared(self, state: PartitionState) -> None:
        """Merge what `state` shares with a partition left behind, as long as it still knows that one's bucket."""
        behind = {other.number for other in self._partitions.values() if other.bucket == state.earlier_bucket}
        if not behind:
            return
        for token_id in self._shared:
            numbers = {holder.number for holder in self._holders[token_id]}
            if state.number in numbers and behind & numbers:
                with suppress(ViewNotReady):  # a third one is even further behind; then nothing is known to remember
                    self._merge(token_id)

    def _held_back(self) -> set[str]:
        """Shared tokens whose latest changes were not to be seen until another partition came along."""
        if not self._shared:
            return set()
        return {token_id for state in self._partitions.values() for token_id in state.earlier.keys() & self._shared}

    # Merging

    def _current(self, token_id: str) -> TokenView | None:
        merged = self._merged.get(token_id)
        if merged and merged.version == self._version:
            return merged.view
        self.require_loaded()
        with self._lock:
            return self._merge(token_id) if token_id in self._holders else None

    def _merge(self, token_id: str) -> TokenView:
        last = self._merged.get(token_id)
        try:
            shares = self._shares(token_id)
        except LookupError as error:
            if last:
                return last.view
            raise ViewNotReady(f"{token_id} waits for a partition that lags: {error}") from error
        unchanged = last is not None and same_entries(last.shares, shares)
        since_ms = self._complete_since_ms
        view = later(last.view, shares, since_ms) if last and unchanged else merge_shares(token_id, shares, since_ms)
        self._merged[token_id] = _Merged(self._version, shares, view)
        return view

    def _shares(self, token_id: str) -> tuple[Share, ...]:
        holders = self._holders[token_id]
        if len(holders) == 1:
            state = holders[0]
            return (Share(state.number, state.entries[token_id], state.meta),)
        if len({state.meta.windows for state in holders}) > 1:
            raise LookupError("its workers keep different windows")
        bucket = min(state.bucket for state in holders)
        return tuple(share for state in holders if (share := state.at(token_id, bucket)))

    def _peek(self, token_id: str) -> TokenView | None:
        """For the index of symbols, which takes up what could not be merged with its next change."""
        try:
            return self.token(token_id)
        except ViewNotReady:
            return None

    def _nothing(self, token_id: str) -> TokenView:
        windows = self.windows
        part = Part(None, 0, None, (EMPTY_WINDOW,) * len(windows))
        return TokenView(token_id, None, self.as_of_ms(), "", 0, part, self._complete_since_ms, 0, windows, known=False)

    def _states(self) -> Collection[PartitionState]:
        states = list(self._partitions.values())
        if not states:
            raise ViewNotReady("the live view is empty: no worker has published yet")
        return states

    def _tell(self, changed: set[str]) -> None:
        if not changed:
            return
        ids = frozenset(changed)
        for listener in self._listeners:
            try:
                listener(ids)
            except Exception:
                log.exception("a listener of the live view failed; the others go on")
