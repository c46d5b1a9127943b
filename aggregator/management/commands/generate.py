"""`manage.py generate`: a made-up feed."""

import random
import signal
import time
from argparse import ArgumentParser
from dataclasses import fields
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from aggregator.feeds.journal import Journal
from aggregator.feeds.market import Market
from aggregator.feeds.pace import Pace
from aggregator.feeds.progress import Progress
from aggregator.feeds.stream import Shares, SwapStream
from settings.config import load_config
from swapstats import bootstrap
from swapstats.domain.errors import SourceUnavailable
from swapstats.ports.swap_sink import Sent

_MEANINGS = {
    "duplicate": "of fresh swaps that are sent twice",
    "late": "of fresh swaps that come after the grace",
    "out_of_order": "of fresh swaps that come later than others, within the grace",
    "invalid": "of records that are no valid swap events",
    "reorged": "of fresh swaps that are retracted",
    "reincluded": "of the reorged that another block takes in",
    "retracted_first": "of the reorged whose retraction comes first",
}


class Command(BaseCommand):
    help = (
        "Write made-up swaps to the configured topic: popularity after Zipf, prices that wander, and everything that"
        " goes wrong in a real log. The same seed gives the same swaps. Ends on SIGTERM or Ctrl-C, or after --duration."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--rate", type=float, default=100.0, help="records per second (default: 100)")
        parser.add_argument("--duration", type=float, help="for how many seconds (default: without end)")
        parser.add_argument("--tokens", type=int, default=50, help="how many tokens (default: 50)")
        parser.add_argument("--zipf", type=float, default=1.0, help="exponent of their popularity (default: 1)")
        parser.add_argument("--seed", type=int, default=1, help="of everything random (default: 1)")
        parser.add_argument(
            "--key", choices=("token", "event", "none"), default="token", help="what records are keyed by"
        )
        parser.add_argument("--out", type=Path, help="file to write what was sent to, as JSON lines (.gz: compressed)")
        for share in fields(Shares):
            meaning = f"share, 0 to 1, {_MEANINGS[share.name]} (default: {share.default})"
            parser.add_argument(f"--{share.name.replace('_', '-')}", type=float, default=share.default, help=meaning)

    def handle(self, **options: Any) -> None:
        _check(options)
        config = load_config()
        rng = random.Random(options["seed"])
        shares = Shares(**{share.name: options[share.name] for share in fields(Shares)})
        market = Market(rng, options["tokens"], options["zipf"])
        grace_ms, max_bytes = config.app.grace_ms, int(config.ingest.max_bytes)
        stream = SwapStream(market, shares, rng, options["key"], grace_ms, max_bytes)
        journal = Journal(options["out"]) if options["out"] else None
        try:
            self._send(stream, Pace(options["rate"], options["duration"]), journal)
        except SourceUnavailable as error:
            raise CommandError(str(error)) from error
        finally:
            if journal:
                journal.close()

    def _send(self, stream: SwapStream, pace: Pace, journal: Journal | None) -> None:
        progress = Progress("records acknowledged", self.stderr.write)
        stopping: list[int] = []
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda signum, _: stopping.append(signum))

        def on_sent(sent: Sent) -> None:
            progress.add()
            if journal:
                journal.write(sent)

        sink = bootstrap.swap_sink(load_config(), on_sent)
        while not stopping and (due := pace.due()) >= 0:
            for _ in range(due):
                sink.send(*stream.next(int(time.time() * 1000)))
        for outgoing in stream.drain(int(time.time() * 1000)):
            sink.send(*outgoing)
        sink.flush()
        progress.done()


def _check(options: dict[str, Any]) -> None:
    for name in ("rate", "duration", "tokens"):
        if options[name] is not None and options[name] <= 0:
            raise CommandError(f"--{name}: expected more than 0, got {options[name]}")
    for share in fields(Shares):
        if not 0 <= options[share.name] <= 1:
            raise CommandError(f"--{share.name.replace('_', '-')}: expected 0 to 1, got {options[share.name]}")
