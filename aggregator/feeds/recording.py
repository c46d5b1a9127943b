"""Recorded swap events, to be sent as they were or moved in time."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aggregator.feeds.journal import open_text
from aggregator.feeds.stream import Outgoing, event_ms
from swapstats.domain.errors import ConfigError


@dataclass(frozen=True)
class Recording:
    """Events in the order of sending, each with the time from swap to record."""

    events: list[dict[str, Any]]
    delay_ms: int
    shift_ms: int = 0

    @property
    def records(self) -> list[Outgoing]:
        """What to send, keyed by token."""
        return [self._outgoing(event) for event in self.events]

    def shifted_to(self, now_ms: int, align_ms: int) -> "Recording":
        """Moved by a multiple of `align_ms`, so that every bucket keeps its swaps, and so that the newest record is
        written at most that long before `now_ms`, never after."""
        newest_ms = max(map(event_ms, self.events)) + self.delay_ms
        return Recording(self.events, self.delay_ms, (now_ms - newest_ms) // align_ms * align_ms)

    def _outgoing(self, event: dict[str, Any]) -> Outgoing:
        time_ms = event_ms(event) + self.shift_ms
        moved = {**event, "event_time": time_ms} if self.shift_ms else event
        key = f"{event.get('chain_id')}:{event.get('token_address')}".encode()
        return Outgoing(key, json.dumps(moved, separators=(",", ":")).encode(), time_ms + self.delay_ms)


def read_recording(path: Path, delay_ms: int) -> Recording:
    """Raises ConfigError, naming the line, where one is no event with a time; OSError where the file cannot be read."""
    events = []
    with open_text(path, "r") as lines:
        for number, line in enumerate(lines, 1):
            try:
                event = json.loads(line)
                event_ms(event)
            except (ValueError, KeyError, TypeError) as error:
                raise ConfigError(f"{path}, line {number}: expected a swap event as JSON, got {line[:60]!r}") from error
            events.append(event)
    if not events:
        raise ConfigError(f"{path}: expected swap events, one per line; the file is empty")
    return Recording(events, delay_ms)
