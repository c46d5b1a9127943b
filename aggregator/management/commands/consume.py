"""`manage.py consume`: ingest and window engine."""

import logging
import signal
import socket
import time
from argparse import ArgumentParser
from os import getpid
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from aggregator.pipeline.worker import Worker
from settings.config import Config, load_config
from swapstats import bootstrap, operations
from swapstats.domain.errors import PartError, SourceChanged, SourceError, SourceUnavailable, TooManyInvalid
from swapstats.garbage import spare_the_collector
from swapstats.supervisor.workers import run_workers

log = logging.getLogger(__name__)

RETRY_SECONDS = 2.0


class Command(BaseCommand):
    help = (
        "Read swaps from the log, keep every token's windows exact, publish what changes and save snapshots."
        " Any number of these may run, on any number of machines; they share the partitions among them."
        " Ends cleanly on SIGTERM or Ctrl-C, saving first."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--workers", type=int, default=1, help="how many worker processes to run (default: 1)")

    def handle(self, *_: Any, workers: int, **__: Any) -> None:
        if workers < 1:
            raise CommandError(f"--workers: expected at least 1, got {workers}")
        config = load_config()
        if workers > 1:
            run_workers("consume", workers, config.metrics.prometheus)
            return
        try:
            operations.operate_worker(config)
            spare_the_collector()
            _Consumption(config).run()
        except (TooManyInvalid, SourceError) as error:
            log.critical("%s", error)
            raise CommandError(str(error)) from error
        except PartError as error:
            raise CommandError(str(error)) from error


class _Consumption:
    """One worker after another until told to stop: a log that changed or went away wants a new one. Any other
    SourceError is for good, as when another consumer was given our name: trying again would only take turns with it."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._worker: Worker | None = None
        self._stopping = False
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._stop)

    def _stop(self, *_: object) -> None:
        self._stopping = True
        if self._worker:
            self._worker.stop()

    def run(self) -> None:
        while not self._stopping:
            try:
                self._worker = bootstrap.worker(self._config, f"{socket.gethostname()}:{getpid()}")
                if not self._stopping:
                    self._worker.run()
            except (SourceChanged, SourceUnavailable) as error:
                log.error("%s; beginning anew in %.0f s", error, RETRY_SECONDS)
                time.sleep(RETRY_SECONDS)
