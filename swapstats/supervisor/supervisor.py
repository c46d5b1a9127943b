"""Starts the parts, waits until they are ready, watches them, and stops them in the opposite order."""

import time
from collections.abc import Sequence
from functools import partial

from swapstats.adapters.system.child_process import ChildProcess
from swapstats.domain.errors import PartError
from swapstats.supervisor.output import Output
from swapstats.supervisor.part import Environment, Part

READY_SECONDS = 0.5
WATCH_SECONDS = 0.2


class Supervisor:
    """Runs `parts` for as long as all of them live.

    Raises:
        PartError: from `start` and `watch`; a part could not start, did not become ready in time, or ended.
        KeyboardInterrupt: from any of them, when the operator wants to stop.
    """

    def __init__(self, parts: Sequence[Part], output: Output) -> None:
        self._parts = parts
        self._output = output
        self._running: list[tuple[Part, ChildProcess]] = []

    def start(self, environment: Environment) -> None:
        """Returns once all are ready."""
        for part in self._parts:
            part.check()
        for part in self._parts:
            self._output.say(f"starting {part.name}")
            child = part.start(environment, partial(self._output.line_of, part.name))
            self._running.append((part, child))
        for part in self._parts:
            self._wait_until_ready(part)

    def _wait_until_ready(self, part: Part) -> None:
        deadline = time.monotonic() + part.ready_seconds
        while self._all_live() and not part.is_ready():
            if time.monotonic() > deadline:
                raise PartError(f"{part.name} did not become ready within {part.ready_seconds:g} s; {part.missing()}")
            time.sleep(READY_SECONDS)

    def watch(self) -> None:
        """Returns when nobody reads the output any more."""
        while self._all_live() and not self._output.is_closed:
            time.sleep(WATCH_SECONDS)

    def _all_live(self) -> bool:
        for _, child in self._running:
            if not child.is_running:
                raise child.died()
        return True

    def stop(self) -> None:
        """Each in its own time; interrupted once more, all at once."""
        try:
            for part, child in reversed(self._running):
                self._output.say(f"stopping {part.name}")
                child.stop(part.stop_seconds)
        except KeyboardInterrupt:
            for _, child in reversed(self._running):
                child.kill()
