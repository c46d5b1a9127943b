"""What was allocated while watching, and is still there. Watching costs; it begins and ends with the question."""

import time
import tracemalloc
from collections.abc import Callable

from swapstats.profiling.samples import Frame, Measure, Profile

MEASURES = (Measure("inuse_objects", "count"), Measure("inuse_space", "bytes"))
FRAMES = 12
LINES = 40


def watch(seconds: float, sleep: Callable[[float], None] = time.sleep) -> Profile:
    """Traces allocations for that long."""
    began_ns, started = time.time_ns(), time.monotonic_ns()
    tracemalloc.start(FRAMES)
    try:
        sleep(seconds)
        found = tracemalloc.take_snapshot().filter_traces(
            (tracemalloc.Filter(inclusive=False, filename_pattern=tracemalloc.__file__),)
        )
    finally:
        tracemalloc.stop()
    values: dict[tuple[Frame, ...], tuple[int, ...]] = {}
    for statistic in found.statistics("traceback"):
        stack = tuple(Frame("", frame.filename, frame.lineno) for frame in statistic.traceback)
        values[stack] = (statistic.count, statistic.size)
    return Profile(MEASURES, values, began_ns, time.monotonic_ns() - started, 1)


def as_text(profile: Profile) -> str:
    """The places that hold most, largest first."""
    largest = sorted(profile.values.items(), key=lambda item: item[1][-1], reverse=True)[:LINES]
    total = sum(size for *_, size in profile.values.values())
    seconds = profile.duration_ns / 1e9
    lines = [f"allocated within {seconds:.1f} s and still there: {total / 1024:,.0f} KiB"]
    for stack, (count, size) in largest:
        lines.append(f"\n{size / 1024:10,.1f} KiB in {count} objects")
        lines.extend(f"    {frame.file}:{frame.line}" for frame in reversed(stack))
    return "\n".join(lines) + "\n"
