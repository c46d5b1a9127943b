"""One topic that is followed."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any, NamedTuple

from swapstats_client.merge_patch import merge_patch


class Update(NamedTuple):
    """A topic's whole state. `reason` is "reorg" where a correction by a retraction is among what changed."""

    data: dict[str, Any]
    epoch: str
    seq: int
    reason: str | None


class Refused(Exception):  # noqa: N818 - says what became of the topic
    """The server refused the topic; `code` says why."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class Subscription:
    """Iterate it for the newest state after each change; a slow reader misses what lay between."""

    def __init__(self, requested: str, options: dict[str, Any]) -> None:
        self.requested = requested
        self.options = options
        self.topic: str | None = None
        self.latest: Update | None = None
        self._at: tuple[str, int] | None = None
        self._is_new = asyncio.Event()
        self._reason: str | None = None
        self._error: BaseException | None = None
        self._is_closed = False

    async def __aiter__(self) -> AsyncIterator[Update]:
        while True:
            await self._is_new.wait()
            self._is_new.clear()
            if self._error:
                raise self._error
            if self._is_closed:
                return
            if self.latest:
                reason, self._reason = self._reason, None
                yield self.latest._replace(reason=reason)

    # What the client tells

    def snapshot(self, message: dict[str, Any]) -> None:
        self._take(message["data"], message["epoch"], message["seq"], None)

    def patch(self, item: dict[str, Any]) -> bool:
        """False where the patch does not follow on what is here; then a snapshot has to be asked for."""
        if self._at is None or self.latest is None:
            return True
        if self._at != (item["epoch"], item["prev"]):
            self._at = None
            return False
        self._take(merge_patch(self.latest.data, item["data"]), item["epoch"], item["seq"], item.get("reason"))
        return True

    def forget(self) -> None:
        """What is here will not be continued."""
        self._at = None

    def fail(self, error: BaseException) -> None:
        """Whoever reads gets this error."""
        self._error = error
        self._is_new.set()

    def end(self) -> None:
        self._is_closed = True
        self._is_new.set()

    def _take(self, data: dict[str, Any], epoch: str, seq: int, reason: str | None) -> None:
        self._at = epoch, seq
        self._reason = reason or self._reason
        self.latest = Update(data, epoch, seq, self._reason)
        self._is_new.set()
