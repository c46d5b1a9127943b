"""Fills the live view: loads it, applies what workers tell, and mends what was missed.

Messages may be lost, so every two seconds the store is asked where its partitions stand. What the view has missed, be
it told by a gap in the steps or by that look, is loaded anew; steps that arrive meanwhile wait and are applied after.
"""

import asyncio
import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from contextlib import aclosing
from typing import NamedTuple

from realtime import metrics
from realtime.stopping import stop
from realtime.view import LiveView
from swapstats.domain.errors import StoreUnavailable, ViewNotReady
from swapstats.ports.live_store import ANNOUNCED, LiveMeta, LivePartition, LiveReader, Step
from swapstats.ports.update_feed import Tick, UpdateReceiver

log = logging.getLogger(__name__)

CHECK_SECONDS = 2.0
PAUSE_SECONDS = 0.1
"""Between two looks at the store, however much seems to be missed."""
RESTART_SECONDS = 1.0
MAX_HELD = 1_000
"""Steps of one partition that may wait for its load; beyond that it is loaded once more."""


class FeedHealth(NamedTuple):
    """`lag_ms` is the age of the stalest partition (None: nothing is loaded), `trouble` what keeps the store away."""

    is_loaded: bool
    lag_ms: int | None
    trouble: str | None
    ticks: int
    reloads: int


class ViewFeed:
    """Feeds one view, in the event loop that `run` is called in."""

    def __init__(
        self,
        view: LiveView,
        open_reader: Callable[[], LiveReader],
        open_receiver: Callable[[], UpdateReceiver],
        check_seconds: float = CHECK_SECONDS,
    ) -> None:
        self.view = view
        self._open_reader = open_reader
        self._open_receiver = open_receiver
        self._check_seconds = check_seconds
        self._clock_offset_ms = 0
        self._trouble: str | None = None
        self._ticks = 0
        self._reloads = 0
        self._begin()

    def _begin(self) -> None:
        self._missing: set[int] = set()
        self._loading: str | None = None
        self._held: dict[int, deque[Step]] = {}
        self._stood: Mapping[int, LiveMeta] = {}
        self._ticks_then = 0

    def now_ms(self) -> int:
        """Epoch milliseconds on the clock that workers evaluate by, as last seen."""
        return int(time.time() * 1000) + self._clock_offset_ms

    def health(self) -> FeedHealth:
        """Callable from any thread."""
        try:
            lag_ms = self.view.lag_ms(self.now_ms())
        except ViewNotReady:
            lag_ms = None
        return FeedHealth(self.view.source is not None, lag_ms, self._trouble, self._ticks, self._reloads)

    async def run(self) -> None:
        """Feed the view until cancelled."""
        self._begin()
        self._wake = asyncio.Event()
        reader = self._open_reader()
        self._listener = asyncio.create_task(self._hear_all())
        tasks = {asyncio.create_task(self._listen()), asyncio.create_task(self._watch_store(reader))}
        try:
            ended, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in ended:
                task.result()
        finally:
            await stop({*tasks, self._listener})
            await reader.close()

    # What workers tell

    async def _listen(self) -> None:
        """Listen anew whenever the listener was sent away."""
        while True:
            await asyncio.wait({self._listener})
            if not self._listener.cancelled():
                self._listener.result()
            self._listener = asyncio.create_task(self._hear_all())

    async def _hear_all(self) -> None:
        async with aclosing(self._open_receiver().ticks()) as ticks:
            async for tick in ticks:
                self._hear(tick)

    def _hear(self, tick: Tick) -> None:
        self._ticks += 1
        metrics.VIEW_TICKS.inc()
        if tick.source != (self._loading or self.view.source):
            self._wake.set()
            return
        gaps = self.view.apply([step for step in tick.steps if not self._hold(step)])
        if gaps:
            self._missing.update(gaps)
            self._wake.set()

    def _hold(self, step: Step) -> bool:
        """Whether the step's partition is being loaded, so that the step has to wait."""
        if self._loading is None and step.partition not in self._held:
            return False
        self._held.setdefault(step.partition, deque(maxlen=MAX_HELD)).append(step)
        return True

    # What the store says

    async def _watch_store(self, reader: LiveReader) -> None:
        while True:
            self._wake.clear()
            try:
                await self._look(reader)
                self._note_trouble(None)
            except StoreUnavailable as error:
                self._note_trouble(str(error))
            await asyncio.sleep(min(PAUSE_SECONDS, self._check_seconds))
            await self._wait_for_wake()

    async def _wait_for_wake(self) -> None:
        try:
            async with asyncio.timeout(self._check_seconds):
                await self._wake.wait()
        except TimeoutError:
            return

    async def _look(self, reader: LiveReader) -> None:
        self._clock_offset_ms = await reader.now_ms() - int(time.time() * 1000)
        source = await reader.source()
        if source != self.view.source and (source or self.view.source is None):
            await self._load_all(reader, source)
        elif source:
            await self._catch_up(reader, source)
        self.view.symbols.refresh()
        self._show()

    async def _load_all(self, reader: LiveReader, source: str) -> None:
        self._loading = source
        try:
            loaded = {number: await reader.load(source, number) for number in await reader.partitions(source)}
        except BaseException:
            self._loading, self._held = None, {}
            raise
        self.view.replace_all(source, {number: found for number, found in loaded.items() if found})
        self._missing, self._stood = set(), {}
        held, self._loading, self._held = self._held, None, {}
        self._apply([step for steps in held.values() for step in steps])
        log.info("the live view follows %s: %d partitions", source or "no log yet", len(loaded))

    async def _catch_up(self, reader: LiveReader, source: str) -> None:
        stands = await reader.partitions(source)
        late = self._left_behind(stands)
        if late and self._ticks == self._ticks_then:
            log.warning("workers publish, but nothing is heard of it; listening anew")
            self._listener.cancel()
        self._stood, self._ticks_then = stands, self._ticks
        for number in sorted(self._missing | late):
            await self._reload(reader, source, number)

    def _show(self) -> None:
        metas = self.view.metas()
        metrics.VIEW_TOKENS.set(len(self.view.token_ids()))
        metrics.VIEW_PARTITIONS.set(len(metas))
        metrics.VIEW_TIME.set(min((meta.as_of_ms for meta in metas.values()), default=0) / 1000)

    def _left_behind(self, stands: Mapping[int, LiveMeta]) -> set[int]:
        """Partitions that the view does not hold as the store does; where only seq differs, those in which it has not
        come to where the store stood at the last look, for the message may be on its way."""
        held = self.view.metas()
        return {number for number, meta in stands.items() if _misses(held.get(number), meta, self._stood.get(number))}

    async def _reload(self, reader: LiveReader, source: str, number: int) -> None:
        self._held[number] = deque(maxlen=MAX_HELD)
        try:
            partition = await reader.load(source, number)
        finally:
            held = self._held.pop(number)
        self._missing.discard(number)
        self._reloads += 1
        metrics.VIEW_RELOADS.inc()
        if partition:
            self._install(number, partition)
        self._apply(held)

    def _install(self, number: int, partition: LivePartition) -> None:
        self.view.replace(number, partition)
        log.info("partition %d was loaded anew: %d tokens", number, len(partition.parts))

    def _apply(self, steps: deque[Step] | list[Step]) -> None:
        if gaps := self.view.apply(steps):
            self._missing.update(gaps)
            self._wake.set()

    def _note_trouble(self, trouble: str | None) -> None:
        if trouble and not self._trouble:
            log.warning("the live view cannot look at its store: %s", trouble)
        elif self._trouble and not trouble:
            log.info("the live view sees its store again")
        self._trouble = trouble
        metrics.VIEW_TROUBLE.set(trouble is not None)


def run_in_thread(feed: ViewFeed) -> threading.Thread:
    """Run the feed in a daemon thread with an event loop of its own; after an error that it does not know it is begun
    again."""

    def run() -> None:
        while True:
            try:
                asyncio.run(feed.run())
            except (Exception, BaseExceptionGroup):
                log.exception("the feed of the live view failed and is begun again")
            time.sleep(RESTART_SECONDS)

    thread = threading.Thread(target=run, name="view-feed", daemon=True)
    thread.start()
    return thread


def _misses(held: LiveMeta | None, stands: LiveMeta, stood: LiveMeta | None) -> bool:
    """What was only announced is less than whatever is held: exact numbers, though they get old."""
    if held is not None and stands.live_epoch == ANNOUNCED:
        return False
    if held is None or (held.live_epoch, held.windows) != (stands.live_epoch, stands.windows):
        return True
    return stood is not None and stood.live_epoch == held.live_epoch and stood.seq > held.seq
