"""`manage.py archive`: copies the log into ClickHouse."""

import logging
import signal
import threading
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from aggregator.archive.archiver import Archiver
from settings.config import Config, load_config
from swapstats import bootstrap, operations
from swapstats.domain.errors import (
    ArchiveError,
    ArchiveUnavailable,
    PartError,
    SourceChanged,
    SourceError,
    SourceUnavailable,
)
from swapstats.garbage import spare_the_collector
from swapstats.supervisor.workers import run_workers

log = logging.getLogger(__name__)

RETRY_SECONDS = 2.0


class Command(BaseCommand):
    help = (
        "Copy every valid swap of the log into ClickHouse and keep the candles, in a consumer group of its own"
        " (<group_id>-archive). ClickHouse may be down for as long as the log keeps records. Any number of these may"
        " run; they share the partitions among them. Creates the tables first. Ends cleanly on SIGTERM or Ctrl-C."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--workers", type=int, default=1, help="how many archiver processes to run (default: 1)")
        parser.add_argument(
            "--no-migrate", action="store_true", help="leave the tables to `manage.py archive_schema`, and check them"
        )

    def handle(self, *_: Any, workers: int, no_migrate: bool, **__: Any) -> None:
        if workers < 1:
            raise CommandError(f"--workers: expected at least 1, got {workers}")
        config = load_config()
        archiving = _Archiving(config)
        try:
            if workers == 1:
                operations.operate_archiver(config)
            archiving.prepare(migrate=not no_migrate)
        except (ArchiveError, PartError) as error:
            raise CommandError(str(error)) from error
        if workers > 1:
            run_workers("archive", workers, config.metrics.prometheus)
            return
        spare_the_collector()
        try:
            archiving.run()
        except SourceError as error:
            log.critical("%s", error)
            raise CommandError(str(error)) from error


class _Archiving:
    """One archiver after another until told to stop: a log that changed or went away wants a new one."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._archiver: Archiver | None = None
        self._stopping = threading.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._stop)

    def _stop(self, *_: object) -> None:
        self._stopping.set()
        if self._archiver:
            self._archiver.stop()

    def prepare(self, *, migrate: bool) -> None:
        """Waits for ClickHouse, and brings or finds its tables as this version wants them. Raises ArchiveError."""
        while not self._stopping.is_set():
            try:
                with bootstrap.archive_schema(self._config) as schema:
                    if migrate:
                        schema.migrate()
                    elif schema.pending():
                        raise ArchiveError("the archive's tables are not up to date; run `manage.py archive_schema`")
                return
            except ArchiveUnavailable as error:
                log.error("%s; trying again in %.0f s", error, RETRY_SECONDS)
                self._stopping.wait(RETRY_SECONDS)

    def run(self) -> None:
        while not self._stopping.is_set():
            try:
                self._archiver = bootstrap.archiver(self._config)
                if not self._stopping.is_set():
                    self._archiver.run()
            except (SourceChanged, SourceUnavailable, ArchiveError) as error:
                log.error("%s; beginning anew in %.0f s", error, RETRY_SECONDS)
                self._stopping.wait(RETRY_SECONDS)
