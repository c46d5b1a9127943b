"""Outlives the process that started it just long enough to end that process's children.

Leader of the process group which `ChildProcess` puts its children into. It reads a pipe whose other end only the
owner holds: however the owner ends, kill -9 included, the pipe ends too, and then so does the whole group.

Run as a plain script (`python -I guardian.py GRACE_SECONDS`), so it needs nothing but the standard library.
"""

import os
import signal
import sys
import time


def main() -> None:
    # The owner decides when we end; Ctrl-C and a polite stop of the group are for the others.
    for ignored in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(ignored, signal.SIG_IGN)
    sys.stdin.buffer.read()
    _end_group(float(sys.argv[1]))


def _end_group(grace: float) -> None:
    os.killpg(0, signal.SIGCONT)
    os.killpg(0, signal.SIGTERM)
    time.sleep(grace)
    os.killpg(0, signal.SIGKILL)


if __name__ == "__main__":
    main()
