"""One real Kafka for a whole test session: every worker of pytest-xdist uses the same.

The first one to need it starts a holder (`python -m tests.parts.shared_kafka DIRECTORY OWNER_PID`), which runs Kafka
for as long as the owner, the session's controlling process, is there.
"""

import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

from swapstats.domain.errors import PartError
from tests.parts.kafka import START_SECONDS, KafkaServer, locked

PROJECT = Path(__file__).resolve().parents[2]
OWNER_CHECK_SECONDS = 0.3


def shared_bootstrap(session_root: Path, owner_pid: int) -> str:
    """The address of the session's Kafka, which is started where this is the first call. `PartError` if it cannot."""
    with locked(session_root / "kafka.lock"):
        address = session_root / "kafka.bootstrap"
        if not address.exists():
            _start_holder(session_root, owner_pid, address)
        return address.read_text()


def _start_holder(session_root: Path, owner_pid: int, address: Path) -> None:
    log = session_root / "kafka.log"
    command = [sys.executable, "-m", __name__, str(session_root), str(owner_pid)]
    with log.open("w") as output:
        holder = subprocess.Popen(command, cwd=PROJECT, stdout=output, stderr=output, start_new_session=True)
    deadline = time.monotonic() + START_SECONDS
    while not address.exists():
        if holder.poll() is not None or time.monotonic() > deadline:
            raise PartError(f"Kafka did not start; {log} ends with:\n{log.read_text()[-2000:]}")
        time.sleep(0.1)


def hold(session_root: Path, owner_pid: int) -> None:
    ended = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: ended.set())
    address = session_root / "kafka.bootstrap"
    server = KafkaServer(session_root / "kafka")
    try:
        server.start()
        _write_whole(address, server.bootstrap)
        while _is_alive(owner_pid) and server.process.is_running and not ended.wait(OWNER_CHECK_SECONDS):
            pass
    finally:
        address.unlink(missing_ok=True)
        server.stop()
        shutil.rmtree(server.directory, ignore_errors=True)


def _write_whole(path: Path, text: str) -> None:
    """A reader sees all of it or no file."""
    partial = path.with_suffix(".partial")
    partial.write_text(text)
    partial.rename(path)


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


if __name__ == "__main__":
    hold(Path(sys.argv[1]), int(sys.argv[2]))
