"""Outlives the process that started it just long enough to end that process's children.

Leader of the process group which `ChildProcess` puts its children into. It reads a pipe whose other end only
the owner holds: however the owner ends, kill -9 included, the pipe ends too, and then so does the whole
group. An owner that ends in good order writes a byte first, and nothing is waited for.

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
    in_good_order = sys.stdin.buffer.read()
    if not in_good_order:
        _ask_group_to_end()
        time.sleep(float(sys.argv[1]))
    os.killpg(0, signal.SIGKILL)


def _ask_group_to_end() -> None:
    os.killpg(0, signal.SIGTERM)
    os.killpg(0, signal.SIGCONT)  # one that is stopped must run to hear it


if __name__ == "__main__":
    main()
