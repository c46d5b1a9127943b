"""A sampling profiler for all threads: what each was doing when looked at, and its CPU time since the last look."""

import os
import sys
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import suppress
from types import CodeType, FrameType

from swapstats.profiling.samples import Frame, Measure, Profile, Stack

MEASURES = (Measure("samples", "count"), Measure("wall", "nanoseconds"), Measure("cpu", "nanoseconds"))
DEEPEST = 200

_Key = tuple[str, tuple[tuple[CodeType, int], ...]]


def profile(seconds: float, hz: int, sleep: Callable[[float], None] = time.sleep) -> Profile:
    """Looks `hz` times a second for `seconds`. The thread that asks is left out."""
    began_ns, started = time.time_ns(), time.monotonic_ns()
    seen: defaultdict[_Key, list[int]] = defaultdict(lambda: [0, 0, 0])
    clock = _ThreadClock()
    looked_at = started
    while (now := time.monotonic_ns()) - started < seconds * 1e9:
        for key, cpu_ns in _look(clock):
            values = seen[key]
            values[0] += 1
            values[1] += now - looked_at
            values[2] += cpu_ns
        looked_at = now
        sleep(1 / hz)
    clock.close()
    return Profile(MEASURES, _named(seen), began_ns, time.monotonic_ns() - started, int(1e9 / hz))


def _look(clock: "_ThreadClock") -> Iterator[tuple[_Key, int]]:
    threads = {thread.ident: thread for thread in threading.enumerate()}
    own = threading.get_ident()
    for ident, frame in sys._current_frames().items():
        thread = threads.get(ident)
        if ident != own and thread is not None:
            yield (thread.name, _stack(frame)), clock.since_last(thread.native_id or 0)


def _stack(frame: FrameType | None) -> tuple[tuple[CodeType, int], ...]:
    frames: list[tuple[CodeType, int]] = []
    while frame is not None and len(frames) < DEEPEST:
        frames.append((frame.f_code, frame.f_lineno or 0))
        frame = frame.f_back
    return tuple(reversed(frames))


def _named(seen: dict[_Key, list[int]]) -> dict[Stack, tuple[int, ...]]:
    return {
        (Frame(f"thread {name}", "", 0), *(_frame(code, line) for code, line in stack)): (*values,)
        for (name, stack), values in seen.items()
    }


def _frame(code: CodeType, line: int) -> Frame:
    """pprof takes what stands in angle brackets, as in `<lambda>`, for a C++ template and drops it."""
    return Frame(code.co_qualname.replace("<", "").replace(">", ""), code.co_filename, line)


class _ThreadClock:
    """CPU time of each thread as the kernel counts it (proc(5), schedstat), 0 where it does not."""

    def __init__(self) -> None:
        self._files: dict[int, int] = {}
        self._last_ns: dict[int, int] = {}

    def since_last(self, native_id: int) -> int:
        """Nanoseconds since the same was last asked; 0 the first time."""
        try:
            now_ns = self._read(native_id)
        except OSError:
            return 0
        before_ns = self._last_ns.get(native_id, now_ns)
        self._last_ns[native_id] = now_ns
        return now_ns - before_ns

    def _read(self, native_id: int) -> int:
        if native_id not in self._files:
            self._files[native_id] = os.open(f"/proc/self/task/{native_id}/schedstat", os.O_RDONLY)
        return int(os.pread(self._files[native_id], 64, 0).split()[0])

    def close(self) -> None:
        for file in self._files.values():
            with suppress(OSError):
                os.close(file)
