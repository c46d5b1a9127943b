"""Servers that run as a child process of ours."""

from abc import ABC, abstractmethod
from typing import ClassVar, Self

from swapstats.adapters.system.child_process import ChildProcess
from swapstats.domain.errors import PartError


class ChildServer(ABC):
    """May be stopped, killed, paused, and started again on its port and data. Subclasses' `start` leaves the child in
    `_process`."""

    stop_seconds: ClassVar[float] = 10
    """How long it may take to end before it is killed."""

    _process: ChildProcess | None = None

    @abstractmethod
    def start(self) -> Self:
        """Returns once it is ready; `PartError` where it cannot be."""

    @property
    def process(self) -> ChildProcess:
        if self._process is None:
            raise PartError(f"the {type(self).__name__} has not been started")
        return self._process

    def stop(self) -> None:
        """Cleanly; harmless where it was not started."""
        if self._process is not None:
            self._process.stop(self.stop_seconds)

    def kill(self) -> None:
        """kill -9, as a crash would."""
        self.process.kill()

    def pause(self) -> None:
        self.process.pause()

    def resume(self) -> None:
        self.process.resume()

    def restart(self) -> Self:
        self.stop()
        return self.start()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()
