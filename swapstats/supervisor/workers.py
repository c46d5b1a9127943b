"""Several workers of one kind, as processes of their own; one that dies is started again."""

import logging
import os
import signal
import sys
import time

from settings.config import Address
from settings.config.load import variable
from settings.config.values import PROJECT_DIR
from swapstats.adapters.system.child_process import ChildProcess, describe_exit

log = logging.getLogger(__name__)

LOOK_EVERY_S = 0.2
RESTART_AFTER_S = 2.0


def run_workers(command: str, count: int, metrics: Address | None) -> None:
    """Run `manage.py <command>` `count` times until SIGTERM or Ctrl-C, then stop all of them. Worker i shows its
    metrics on the configured port plus i."""
    stopping: list[int] = []
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda signum, _: stopping.append(signum))
    children = [_start(command, i, metrics) for i in range(count)]
    try:
        while not stopping:
            time.sleep(LOOK_EVERY_S)
            for i, child in enumerate(children):
                if not child.is_running and not stopping:
                    log.error("worker %d ended with %s; starting it again", i, describe_exit(child.exit_code))
                    time.sleep(RESTART_AFTER_S)
                    children[i] = _start(command, i, metrics)
    finally:
        _stop_all(children)


def _start(command: str, i: int, metrics: Address | None) -> ChildProcess:
    environment = dict(os.environ)
    if metrics and metrics.port:
        environment[variable("metrics.prometheus")] = str(Address(metrics.host, metrics.port + i))
    return ChildProcess(
        f"{command} {i}",
        [sys.executable, str(PROJECT_DIR / "manage.py"), command],
        env=environment,
        cwd=PROJECT_DIR,
        on_line=lambda line: print(f"[{i}] {line}", file=sys.stderr, flush=True),  # noqa: T201 - its own log line
    )


def _stop_all(children: list[ChildProcess]) -> None:
    """Ask all first, so that they leave the group together, then wait for each."""
    for child in children:
        if child.is_running:
            child.signal(signal.SIGTERM)
    for child in children:
        child.stop(seconds=30)
