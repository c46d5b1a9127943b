"""Child processes that are waited for, listened to, and never left behind."""

import atexit
import os
import signal
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import IO, Self

from swapstats.adapters.system import guardian
from swapstats.domain.errors import PartError

LAST_LINES = 20
LINE_CHARS = 16_384
ORPHAN_GRACE_SECONDS = 3
POLL_SECONDS = 0.02


class ChildProcess:
    """One child: its output goes line by line to `on_line`, its last 20 lines are kept for the day it dies.

    It stands in its owner's guarded process group: it ends with its owner, even one that was killed -9, and
    a Ctrl-C at the terminal reaches the owner alone. `PartError` where it cannot start or dies too early.
    """

    def __init__(
        self,
        name: str,
        command: Sequence[str | Path],
        *,
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
        pass_fds: Sequence[int] = (),
        on_line: Callable[[str], None] | None = None,
    ) -> None:
        self.name = name
        self._command = [str(word) for word in command]
        self._env = None if env is None else dict(env)
        self._cwd = cwd
        self._pass_fds = pass_fds
        self._on_line = on_line
        self._lines: deque[str] = deque(maxlen=LAST_LINES)
        self._process = self._spawn()
        self._listener = threading.Thread(target=self._listen, name=f"{name}-output", daemon=True)
        self._listener.start()

    def _spawn(self) -> subprocess.Popen[str]:
        try:
            return subprocess.Popen(  # noqa: S603 - commands are ours, without a shell
                self._command,
                env=self._env,
                cwd=self._cwd,
                pass_fds=self._pass_fds,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                errors="replace",
                process_group=_guardian_of(os.getpid()).pid,
            )
        except OSError as error:
            raise PartError(f"{self.name} could not be started: {error}") from error

    def _listen(self) -> None:
        for line in _lines_of(self._process.stdout):
            self._lines.append(line)
            if self._on_line is not None:
                self._on_line(line)

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def exit_code(self) -> int | None:
        """None while it runs; negative for the signal that ended it."""
        return self._process.poll()

    @property
    def is_running(self) -> bool:
        return self.exit_code is None

    @property
    def last_lines(self) -> list[str]:
        return list(self._lines)

    def wait_until(self, check: Callable[[], bool], seconds: float, expectation: str) -> None:
        """Polls `check` until it holds; `PartError` if the process dies first or `seconds` pass."""
        deadline = time.monotonic() + seconds
        while not check():
            if not self.is_running:
                raise self.died()
            if time.monotonic() > deadline:
                raise PartError(f"{self.name} did not {expectation} within {seconds:g} s{self._epitaph()}")
            time.sleep(POLL_SECONDS)

    def died(self) -> PartError:
        """The error that tells how it ended, with its last words."""
        self._listener.join(timeout=1)
        return PartError(f"{self.name} ended with {describe_exit(self.exit_code)}{self._epitaph()}")

    def _epitaph(self) -> str:
        lines = self.last_lines
        return "; its last lines:" + "".join(f"\n    {line}" for line in lines) if lines else ""

    def stop(self, seconds: float = 10) -> None:
        """Asks it to end; kills it when it has not after `seconds`. Harmless when it has ended already."""
        self.signal(signal.SIGTERM)
        self.signal(signal.SIGCONT)
        try:
            self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.kill()
        self._listener.join(timeout=1)

    def kill(self) -> None:
        """kill -9, and waits for the kernel to have done it."""
        self.signal(signal.SIGKILL)
        self._process.wait()

    def pause(self) -> None:
        """SIGSTOP, and waits until each of its threads has stopped: one on another core may run on for a moment."""
        self.signal(signal.SIGSTOP)
        if self.is_running:
            os.waitid(os.P_PID, self.pid, os.WSTOPPED | os.WEXITED | os.WNOWAIT)

    def resume(self) -> None:
        self.signal(signal.SIGCONT)

    def signal(self, number: signal.Signals) -> None:
        self._process.send_signal(number)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


def describe_exit(code: int | None) -> str:
    """`exit code 3`, or `signal SIGKILL` for what Python reports as -9."""
    if code is not None and code < 0:
        return f"signal {signal.Signals(-code).name}"
    return f"exit code {code}"


def _lines_of(stream: IO[str] | None) -> Iterator[str]:
    """Its lines, without their ends; one that never ends is handed out in pieces."""
    assert stream is not None, "children are started with a pipe"  # noqa: S101
    with stream:
        while line := stream.readline(LINE_CHARS):
            yield line.rstrip()


@cache
def _guardian_of(owner_pid: int) -> subprocess.Popen[bytes]:
    """One guardian per owning process; keyed by pid, because a forked child is an owner of its own."""
    watcher = subprocess.Popen(  # noqa: S603
        [sys.executable, "-I", guardian.__file__, str(ORPHAN_GRACE_SECONDS)],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        process_group=0,
    )
    atexit.register(_release, owner_pid, watcher)
    return watcher


def _release(owner_pid: int, watcher: subprocess.Popen[bytes]) -> None:
    """At the end of an orderly owner: whatever is left of the group goes at once, the guardian last."""
    if os.getpid() == owner_pid and watcher.poll() is None:
        watcher.communicate(b"x")
