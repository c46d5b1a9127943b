"""Looking at something regularly, in a thread of its own, for as long as the process lives."""

import logging
import threading
from collections.abc import Callable

from swapstats.domain.errors import SwapstatsError

log = logging.getLogger(__name__)

LOOK_EVERY_S = 5.0


def watch(name: str, look: Callable[[], None], seconds: float = LOOK_EVERY_S) -> threading.Event:
    """Call `look` now and then every `seconds`; setting the event ends it. What cannot be seen is said once, and
    looked for again."""
    ended = threading.Event()
    thread = threading.Thread(target=_run, args=(name, look, seconds, ended), name=f"watch-{name}", daemon=True)
    thread.start()
    return ended


def _run(name: str, look: Callable[[], None], seconds: float, ended: threading.Event) -> None:
    trouble = ""
    while not ended.is_set():
        try:
            look()
            trouble = ""
        except SwapstatsError as error:
            if not trouble:
                log.warning("cannot watch %s: %s", name, error)
            trouble = str(error)
        ended.wait(seconds)
