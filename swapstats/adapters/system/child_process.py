"""Child processes that are waited for, listened to, and never left behind."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Self

from swapstats.adapters.system import guardian
from swapstats.domain.errors import PartError

LAST_LINES = 20
ORPHAN_GRACE_SECONDS = 3
POLL_SECONDS = 0.02

type_of_check = Callable[[], bool]


@cache
def _guardian_of(owner_pid: int) -> subprocess.Popen[bytes]:
    """One guardian per owning process; keyed by pid, since a forked child needs its own."""
    script = [sys.executable, "-I", guardian.__file__, str(ORPHAN_GRACE_SECONDS)]
    return subprocess.Popen(  # noqa: S603
        script, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, process_group=0
    )
