"""Looks at the live store all the time, as a reader would: how old its numbers get, and whether time runs backwards."""

import asyncio
import threading
import time
from collections.abc import Callable
from typing import Self

from settings.config import RedisStore
from swapstats.adapters.redis.clients import async_client
from swapstats.adapters.redis.live_store import RedisLiveReader
from swapstats.domain.errors import StoreError
from swapstats.ports.live_store import LiveMeta

LOOK_EVERY_S = 0.1


class Watch:
    """`longest_gap_s` is the longest time for which some partition told nothing newer, from its first word on;
    `complete_since_ms` the latest time before which some partition ever said that it may lack something."""

    def __init__(self, store: Callable[[], RedisStore]) -> None:
        self._store = store
        self._seen: dict[int, LiveMeta] = {}
        self._fresh_at: dict[int, float] = {}
        self.gaps: dict[int, float] = {}
        self.backwards: list[str] = []
        self.complete_since_ms = 0
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()), name="watch", daemon=True)

    @property
    def longest_gap_s(self) -> float:
        return max(self.gaps.values(), default=0.0)

    def reset(self) -> None:
        """From here on only."""
        self.gaps = {}
        now = time.monotonic()
        self._fresh_at = dict.fromkeys(self._fresh_at, now)

    def forget(self) -> None:
        """Another log has taken the place of the one watched; until it tells something, nothing is fresh."""
        self._seen = {}

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        self._thread.join(10)

    async def _run(self) -> None:
        while not self._stopping.is_set():
            reader = RedisLiveReader(async_client(self._store()), self._store().prefix)
            try:
                await self._look_on(reader)
            except StoreError:
                self._note({})
                await asyncio.sleep(LOOK_EVERY_S)
            finally:
                await reader.close()

    async def _look_on(self, reader: RedisLiveReader) -> None:
        while not self._stopping.is_set():
            source = await reader.source()
            self._note(dict(await reader.partitions(source)) if source else {})
            await asyncio.sleep(LOOK_EVERY_S)

    def _note(self, metas: dict[int, LiveMeta]) -> None:
        now = time.monotonic()
        self.complete_since_ms = max([self.complete_since_ms, *(meta.complete_since_ms for meta in metas.values())])
        for number, meta in metas.items():
            before = self._seen.get(number)
            if before is None or meta.as_of_ms > before.as_of_ms:
                self._close_gap(number, now)
                self._seen[number] = meta
            elif meta.as_of_ms < before.as_of_ms or (
                meta.live_epoch == before.live_epoch and (meta.seq, meta.offset) < (before.seq, before.offset)
            ):
                self.backwards.append(f"partition {number}: {before} was followed by {meta}")
                self._seen[number] = meta
        for number, since in self._fresh_at.items():
            self.gaps[number] = max(self.gaps.get(number, 0.0), now - since)

    def _close_gap(self, number: int, now: float) -> None:
        since = self._fresh_at.get(number, now)
        self.gaps[number] = max(self.gaps.get(number, 0.0), now - since)
        self._fresh_at[number] = now
