"""Where every thread and every asyncio task stands now."""

import asyncio
import gc
import sys
import threading
import traceback
from collections.abc import Iterator
from typing import Any


def threads() -> str:
    """Each thread's stack, innermost call last."""
    frames = sys._current_frames()
    texts = []
    for thread in threading.enumerate():
        kind = "daemon" if thread.daemon else "thread"
        stack = "".join(traceback.format_stack(frames.get(thread.ident or 0)))
        texts.append(f"{kind} {thread.name} ({thread.native_id})\n{stack}")
    return "\n".join(texts)


def tasks() -> str:
    """Each task of each event loop, with what it awaits, innermost last."""
    return "\n".join(_describe(task) for loop in _loops() for task in asyncio.all_tasks(loop)) or "no tasks\n"


def _loops() -> list[asyncio.AbstractEventLoop]:
    """Asked of the garbage collector, because no thread knows the loops of the others. Types rather than isinstance:
    that would wake Django's lazy objects."""
    return [found for found in gc.get_objects() if issubclass(type(found), asyncio.AbstractEventLoop)]


def _describe(task: "asyncio.Task[Any]") -> str:
    lines = [f"    {place}" for place in _awaited(task.get_coro())]
    return "\n".join([f"task {task.get_name()}", *lines, ""])


def _awaited(awaitable: Any) -> Iterator[str]:
    while awaitable is not None:
        frame = getattr(awaitable, "cr_frame", None) or getattr(awaitable, "gi_frame", None)
        if frame is not None:
            yield f"{frame.f_code.co_filename}:{frame.f_lineno} {frame.f_code.co_qualname}"
        awaitable = getattr(awaitable, "cr_await", None) or getattr(awaitable, "gi_yieldfrom", None)
