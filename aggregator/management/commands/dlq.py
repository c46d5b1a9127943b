"""`manage.py dlq`: look into the dead letters, and send them again once their cause is mended."""

import heapq
from argparse import ArgumentParser, ArgumentTypeError
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime
from typing import Any, NamedTuple

from django.core.management.base import BaseCommand, CommandError

from aggregator.requeue import requeue
from settings.config import load_config
from swapstats import bootstrap
from swapstats.domain.errors import SourceError
from swapstats.domain.swap import InvalidReason
from swapstats.ports.dead_letters import DeadLetterReader, StoredLetter

DETAIL_WIDTH = 100


class Place(NamedTuple):
    """Where a dead letter stands in its own topic, written PARTITION:OFFSET."""

    partition: int
    offset: int

    def __str__(self) -> str:
        return f"{self.partition}:{self.offset}"


def _place(text: str) -> Place:
    partition, _, offset = text.partition(":")
    if not (partition.isdecimal() and offset.isdecimal()):
        raise ArgumentTypeError(f"expected PARTITION:OFFSET, as `dlq list` shows it, got {text!r}")
    return Place(int(partition), int(offset))


class Command(BaseCommand):
    help = (
        "Invalid records are kept in the topic <ingest.topic>.dlq, with the reason. `list` counts them and shows the"
        " newest, `show` shows one whole, `requeue` writes them to the topic of swaps again. Requeuing removes nothing:"
        " dead letters go when their retention ends, and one that is requeued twice counts once."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        actions = parser.add_subparsers(dest="action", required=True)
        reasons = [reason.value for reason in InvalidReason]
        listing = actions.add_parser("list", help="how many there are of each reason, and the newest of them")
        listing.add_argument("--reason", choices=reasons, help="only those of this reason")
        listing.add_argument("--limit", type=int, default=20, help="how many to show (default: 20)")
        showing = actions.add_parser("show", help="one of them with all its headers")
        showing.add_argument("place", type=_place, metavar="PARTITION:OFFSET")
        requeue = actions.add_parser("requeue", help="write them to the topic of swaps again, key and value untouched")
        requeue.add_argument("places", type=_place, nargs="*", metavar="PARTITION:OFFSET")
        requeue.add_argument("--reason", choices=reasons, help="all of this reason")
        requeue.add_argument("--all", action="store_true", help="all there are")
        requeue.add_argument(
            "--timestamp",
            choices=("source", "now"),
            default="source",
            help="the new records' timestamps: those they had at first, so that they are as late as they were"
            " (default), or the present time",
        )

    def handle(self, *_: Any, action: str, **options: Any) -> None:
        actions: dict[str, Callable[..., None]] = {"list": self._list, "show": self._show, "requeue": self._requeue}
        try:
            with closing(bootstrap.dead_letter_reader(load_config())) as reader:
                actions[action](reader, **options)
        except SourceError as error:
            raise CommandError(str(error)) from error

    def _list(self, reader: DeadLetterReader, *, reason: str | None, limit: int, **_: Any) -> None:
        counts: Counter[str] = Counter()
        newest = heapq.nlargest(max(0, limit), _counted(_chosen(reader, reason), counts), key=_stored)
        for letter in reversed(newest):
            self.stdout.write(_line(letter))
        for name, count in counts.most_common():
            self.stdout.write(f"{count:>9}  {name}")
        self.stdout.write(f"{counts.total():>9}  in all")

    def _show(self, reader: DeadLetterReader, *, place: Place, **_: Any) -> None:
        letter = _at(reader, place)
        self.stdout.write(f"place: {place}\nstored: {_time(letter.stored_ms)}")
        for name, value in letter.headers.items():
            self.stdout.write(f"{name}: {value}")
        self.stdout.write(f"key: {_readable(letter.key)}\nvalue: {_readable(letter.value)}")

    def _requeue(
        self, reader: DeadLetterReader, *, places: list[Place], reason: str | None, timestamp: str, **options: Any
    ) -> None:
        if sum((bool(places), reason is not None, options["all"])) != 1:
            raise CommandError("expected one of: places as `dlq list` shows them, --reason, --all")
        letters = (_at(reader, place) for place in places) if places else _chosen(reader, reason)
        sent: list[object] = []
        sink = bootstrap.swap_sink(load_config(), sent.append)
        done = requeue(letters, sink, as_of_now=timestamp == "now")
        for letter in done.left_out:
            self.stderr.write(f"{letter.partition}:{letter.offset} is not whole, so it was left out")
        self.stdout.write(f"{len(sent)} requeued")
        if len(sent) < done.tried:
            raise CommandError(f"{done.tried - len(sent)} were refused by the broker")


def _chosen(reader: DeadLetterReader, reason: str | None) -> Iterator[StoredLetter]:
    return (letter for letter in reader.letters() if reason in (None, letter.headers.get("reason")))


def _at(reader: DeadLetterReader, place: Place) -> StoredLetter:
    letter = reader.letter(*place)
    if letter is None:
        raise CommandError(f"there is no dead letter at {place}")
    return letter


def _counted(letters: Iterator[StoredLetter], counts: Counter[str]) -> Iterator[StoredLetter]:
    for letter in letters:
        counts[letter.headers.get("reason", "no reason given")] += 1
        yield letter


def _stored(letter: StoredLetter) -> tuple[int, int, int]:
    return letter.stored_ms, letter.partition, letter.offset


def _line(letter: StoredLetter) -> str:
    header = letter.headers.get
    source = f"{header('source_topic', '?')} {header('source_partition', '?')}:{header('source_offset', '?')}"
    size = len(letter.value or b"")
    detail = header("detail", "")[:DETAIL_WIDTH]
    place = Place(letter.partition, letter.offset)
    return f"{place!s:>9}  {_time(letter.stored_ms)}  {header('reason', '?')}  {size} B  from {source}  {detail}"


def _time(milliseconds: int) -> str:
    return datetime.fromtimestamp(milliseconds / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _readable(data: bytes | None) -> str:
    return "(none)" if data is None else data.decode(errors="backslashreplace")
