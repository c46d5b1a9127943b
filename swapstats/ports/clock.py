"""Time as an input."""

from typing import Protocol


class Clock(Protocol):
    """The one clock that all workers of a deployment share, so that no machine's own clock decides what a window
    covers.

    It never runs backwards within a process.
    """

    def now_ms(self) -> int:
        """Epoch milliseconds."""

    def sync(self) -> None:
        """Compare with the reference again. Raises StoreUnavailable where that is gone."""
