"""`manage.py snapshots`: what workers have saved, and mending it."""

import os
import socket
import time
from argparse import ArgumentParser
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from aggregator.snapshot.reset import reset_to
from aggregator.snapshot.save_now import NOT_YET, save_now
from aggregator.snapshot.summary import summarize
from settings.config import load_config
from swapstats import bootstrap
from swapstats.domain.amount import USD_DIGITS, format_amount
from swapstats.domain.errors import ArchiveError, SourceError, StoreError
from swapstats.ports.checkpoint_admin import CheckpointAdmin, HeldCheckpoint
from swapstats.ports.swap_source import SourceIdentity

TOP_TOKENS = 10


class Command(BaseCommand):
    help = (
        "List the snapshots of all partitions; show one; have one written now (save); let go of a stuck one (release:"
        " its holder is fenced off and the partition taken anew); have one replayed (reset: its windows are"
        " forgotten and rebuilt from the log, with every decision as it was recorded); or have windows back that"
        " neither Redis nor the log holds any more (rebuild: from the archive; stop the workers first)."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        actions = parser.add_subparsers(dest="action", metavar="ACTION")
        actions.add_parser("list", help="all partitions (the default)")
        for name, what in (
            ("show", "one partition in full"),
            ("save", "have a partition's holder write a snapshot now"),
            ("release", "fence off who holds a partition"),
        ):
            actions.add_parser(name, help=what).add_argument("partition", type=int)
        reset = actions.add_parser("reset", help="replay a partition from a time")
        reset.add_argument("partition", type=int)
        reset.add_argument("--from", dest="from_time", required=True, help="RFC 3339, as 2026-11-22T08:00:00Z")

        rebuild = actions.add_parser("rebuild", help="make the windows again from the archive")
        rebuild.add_argument("partitions", type=int, nargs="*", help="which partitions (default: all)")

    def handle(self, *_: Any, action: str | None, **options: Any) -> None:
        try:
            if action == "rebuild":
                self._rebuild(options["partitions"])
                return
            admin = bootstrap.checkpoint_admin(load_config())
            if action in (None, "list"):
                self._list(admin)
                return
            source, held = self._find(admin, options["partition"])
            if action == "show":
                self._show(admin, source, held)
            elif action == "save":
                self._save(admin, source, held)
            elif action == "release":
                admin.release(source, held.partition)
                self.stdout.write(f"partition {held.partition}: epoch {held.epoch} of {held.owner} ended")
            else:
                self._reset(admin, source, held, options["from_time"])
        except (StoreError, SourceError, ArchiveError) as error:
            raise CommandError(str(error)) from error

    def _rebuild(self, partitions: Sequence[int]) -> None:
        owner = f"rebuild on {socket.gethostname()}:{os.getpid()}"
        with bootstrap.rebuild(load_config(), owner, self.stdout.write) as rebuild:
            rebuild.run(partitions)

    def _list(self, admin: CheckpointAdmin) -> None:
        now_ms = time.time() * 1000
        for source in admin.sources():
            self.stdout.write(f"{source.key}")
            for held in admin.checkpoints(source):
                self.stdout.write("  " + _line(held, now_ms))

    def _find(self, admin: CheckpointAdmin, partition: int) -> tuple[SourceIdentity, HeldCheckpoint]:
        """The partition of the log that the configuration names."""
        broker = bootstrap.swap_log(load_config()).identity()
        for source in reversed(admin.sources()):
            if source.cluster_id == broker.cluster_id and source.topic == broker.topic:
                for held in admin.checkpoints(source):
                    if held.partition == partition and source.incarnation.startswith(broker.incarnation):
                        return source, held
        raise CommandError(f"there is no snapshot of partition {partition} of {broker.topic}; `snapshots` lists them")

    def _show(self, admin: CheckpointAdmin, source: SourceIdentity, held: HeldCheckpoint) -> None:
        self.stdout.write(_line(held, time.time() * 1000))
        for outcome, count in sorted((held.meta.outcomes if held.meta else {}).items()):
            self.stdout.write(f"  {count:>14} {outcome}")
        summary = summarize(admin.segments(source, held.partition))
        for width_ms, count in sorted(summary.buckets.items()):
            self.stdout.write(f"  {count:>14} buckets of {width_ms / 1000:g} s")
        for token, volume in summary.volumes.most_common(TOP_TOKENS):
            self.stdout.write(f"  {format_amount(volume, USD_DIGITS):>14} USD of {token}")

    def _save(self, admin: CheckpointAdmin, source: SourceIdentity, held: HeldCheckpoint) -> None:
        saved = save_now(admin, source, held.partition)
        if saved is None:
            raise CommandError(f"partition {held.partition}: {NOT_YET}")
        self.stdout.write(f"partition {held.partition}: revision {saved.revision} saved, offset {saved.next_offset}")

    def _reset(self, admin: CheckpointAdmin, source: SourceIdentity, held: HeldCheckpoint, text: str) -> None:
        config, from_ms = load_config(), _epoch_ms(text)
        log = bootstrap.swap_log(config)
        offset = reset_to(admin, source, held.partition, log, from_ms, config.app.max_skew_ms)
        self.stdout.write(f"partition {held.partition} is replayed from offset {offset}")


def _line(held: HeldCheckpoint, now_ms: float) -> str:
    who = f"partition {held.partition:>3}  epoch {held.epoch} of {held.owner}"
    if held.meta is None:
        return f"{who}  no snapshot yet"
    age_s = (now_ms - held.meta.saved_at_ms) / 1000
    what = f"revision {held.meta.revision}, offset {held.meta.next_offset}, {held.segments} buckets"
    return f"{who}  {what}, {held.size_bytes / 1024:.0f} KiB, saved {age_s:.0f} s ago"


def _epoch_ms(text: str) -> int:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise CommandError(f"--from: expected a time as 2026-11-22T08:00:00Z, got {text!r}") from error
    if moment.tzinfo is None:
        raise CommandError(f"--from: expected a time with its zone, as 2026-11-22T08:00:00Z, got {text!r}")
    return round(moment.timestamp() * 1000)
