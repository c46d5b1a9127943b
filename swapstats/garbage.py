"""The collector of cyclic garbage, told what it need not search."""

import gc

THRESHOLDS = (50_000, 20, 50)


def spare_the_collector() -> None:
    """Hardly anything that is made in great numbers here, for each tick or swap, is part of a cycle: it goes by its
    reference count. Searching it for cycles took a third of a tick, and half of the time to decode a batch."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*THRESHOLDS)
