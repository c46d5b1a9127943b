"""Metrics of several web processes on one machine, shown as one: `PROMETHEUS_MULTIPROC_DIR` names a directory, empty
at first, where each keeps its numbers in files.

By itself prometheus_client names the files by process ids: those of dead processes stay for ever, their gauges too.
Here a process takes the first free of the numbered places and holds it by a lock. Its successor continues the counters
it finds there and forgets the gauges, so there are never more files than processes at once.
"""

import fcntl
import os
from contextlib import suppress
from pathlib import Path
from typing import IO

from prometheus_client import values

VARIABLE = "PROMETHEUS_MULTIPROC_DIR"

_places: dict[int, tuple[str, IO[str]]] = {}
"""This process's place by its id, and the lock; a forked child takes one of its own."""


def share_metrics() -> None:
    """Keep this process's metrics in that directory, if one is named. Called before the first metric is declared."""
    if os.environ.get(VARIABLE):
        Path(os.environ[VARIABLE]).mkdir(parents=True, exist_ok=True)
        values.ValueClass = values.MultiProcessValue(_place)  # type: ignore[no-untyped-call]


def forget_dead_gauges() -> None:
    """Before metrics are shown: what processes that are gone last said of themselves is true no more."""
    directory = Path(os.environ[VARIABLE])
    for path in directory.glob("*.lock"):
        with path.open() as lock, suppress(BlockingIOError):
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            _forget_gauges(directory, path.stem)


def _place() -> str:
    if os.getpid() not in _places:
        _places[os.getpid()] = _take_place(Path(os.environ[VARIABLE]))
    return _places[os.getpid()][0]


def _take_place(directory: Path) -> tuple[str, IO[str]]:
    number = 0
    while True:
        lock = (directory / f"{number}.lock").open("w")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.close()
            number += 1
            continue
        _forget_gauges(directory, str(number))
        return str(number), lock


def _forget_gauges(directory: Path, place: str) -> None:
    for path in directory.glob(f"gauge_*_{place}.db"):
        path.unlink(missing_ok=True)
