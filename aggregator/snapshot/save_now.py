"""A snapshot of one partition when an operator wants it, by the worker that holds it."""

import time
from collections.abc import Callable

from swapstats.ports.checkpoint_admin import CheckpointAdmin, HeldCheckpoint
from swapstats.ports.checkpoint_store import CheckpointMeta
from swapstats.ports.swap_source import SourceIdentity

WAIT_S = 3.0
"""A worker publishes ten times a second, unless it is behind the log: then once."""
LOOK_EVERY_S = 0.05
NOT_YET = f"no worker has taken it within {WAIT_S:g} s; it will be as soon as one publishes this partition"


def save_now(
    admin: CheckpointAdmin, source: SourceIdentity, partition: int, sleep: Callable[[float], None] = time.sleep
) -> CheckpointMeta | None:
    """Ask for it and give what was saved; None where that has not happened in time, but is still asked for. Raises
    StoreUnavailable."""
    before = _revision(admin.checkpoint(source, partition))
    admin.ask_to_save(source, partition)
    for _ in range(round(WAIT_S / LOOK_EVERY_S)):
        sleep(LOOK_EVERY_S)
        held = admin.checkpoint(source, partition)
        if held and not held.save_asked_ms and _revision(held) > before:
            return held.meta
    return None


def _revision(held: HeldCheckpoint | None) -> int:
    return held.meta.revision if held and held.meta else 0
