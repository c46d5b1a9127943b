"""When an embedded server ends: on SIGTERM, on Ctrl-C, or when its parent is gone."""

import os
import signal
import threading

PARENT_CHECK_SECONDS = 0.5


class Ending:
    """Made before the server starts, in the main thread, so that nothing that happens meanwhile is missed."""

    def __init__(self) -> None:
        self._parent = os.getppid()
        self._told = threading.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: self._told.set())

    def wait(self) -> None:
        while not self._told.wait(PARENT_CHECK_SECONDS) and os.getppid() == self._parent:
            pass
