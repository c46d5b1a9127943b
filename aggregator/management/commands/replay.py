"""`manage.py replay`: recorded swaps, sent again."""

import time
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from aggregator.feeds.progress import Progress
from aggregator.feeds.recording import Recording, read_recording
from settings.config import load_config
from swapstats import bootstrap
from swapstats.domain.errors import ConfigError, SourceUnavailable


class Command(BaseCommand):
    help = (
        "Write the swap events of FILE (JSON lines, .gz or not, in the order of sending) to the configured topic."
        " A record's timestamp is its event time plus --delay, as it was when the swap was new, so nothing becomes"
        " late by being replayed."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", type=Path, metavar="FILE")
        parser.add_argument(
            "--shift-to-now",
            action="store_true",
            help="move all times by whole buckets, so that the newest swap lies at most one bucket back",
        )
        parser.add_argument(
            "--speed", type=float, help="how many times faster than recorded (default: as fast as it goes)"
        )
        parser.add_argument("--delay", type=float, default=1.5, help="seconds from a swap to its record (default: 1.5)")

    def handle(self, *, file: Path, shift_to_now: bool, speed: float | None, delay: float, **_: Any) -> None:
        if speed is not None and speed <= 0:
            raise CommandError(f"--speed: expected more than 0, got {speed:g}")
        config = load_config()
        align_ms = max(window.bucket_ms for window in config.app.windows.values())
        try:
            recording = read_recording(file, round(delay * 1000))
            if shift_to_now:
                recording = recording.shifted_to(int(time.time() * 1000), align_ms)
            self._send(recording, speed)
        except (ConfigError, SourceUnavailable, OSError) as error:
            raise CommandError(str(error)) from error

    def _send(self, recording: Recording, speed: float | None) -> None:
        progress = Progress("records acknowledged", self.stderr.write, len(recording.records))
        sink = bootstrap.swap_sink(load_config(), lambda _: progress.add())
        began = time.monotonic()
        first_ms = recording.records[0].timestamp_ms
        for record in recording.records:
            if speed is not None:
                due = began + (record.timestamp_ms - first_ms) / 1000 / speed
                time.sleep(max(0.0, due - time.monotonic()))
            sink.send(*record)
        sink.flush()
        progress.done()
