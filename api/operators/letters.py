"""The admin's pages of dead letters: how many of each reason, a search, one with its bytes, and sending them again."""

import heapq
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from itertools import islice
from typing import Any, NamedTuple

from django.contrib import admin
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect

from aggregator.requeue import is_whole, requeue
from api.models import DeadLetter
from api.operators.rooms import Room, time_of
from settings.config import load_config
from swapstats import bootstrap
from swapstats.domain.swap import InvalidReason
from swapstats.ports.dead_letters import DeadLetterReader, StoredLetter

MOST_LOOKED_AT = 100_000
MOST_SHOWN = 100
REASONS = tuple(reason.value for reason in InvalidReason)


class Found(NamedTuple):
    """The newest that were looked for, how many those are by reason, and whether there are more than were looked at."""

    newest: list[StoredLetter]
    counts: Counter[str]
    is_cut: bool


@admin.register(DeadLetter)
class DeadLetterRoom(Room):
    actions_of_one = ("requeue",)

    def list_page(self, request: HttpRequest) -> HttpResponse:
        words, reason = request.GET.get("q", "")[:200], request.GET.get("reason", "")
        with closing(_reader()) as reader:
            found = _search(reader, words, reason)
        return self.page(
            request,
            "change_list",
            "Dead letters",
            letters=[_shown(letter) for letter in found.newest],
            counts=found.counts.most_common(),
            total=found.counts.total(),
            is_cut=found.is_cut,
            words=words,
            reason=reason,
            reasons=REASONS,
        )

    def one_page(self, request: HttpRequest, key: str) -> HttpResponse:
        letter = _one(key)
        return self.page(
            request,
            "change_form",
            f"Dead letter {key}",
            letter=_shown(letter),
            headers=sorted(letter.headers.items()),
            value=_readable(letter.value),
            octets=_hexadecimal(letter.value),
            may_requeue=is_whole(letter),
        )

    def requeue_page(self, request: HttpRequest, key: str) -> HttpResponse:
        """`key` is one's place, or a reason: all of that."""
        if key not in REASONS:
            letter = _one(key)
            if request.method != "POST":
                return self.page(request, "requeue", "Send it again?", what=f"The dead letter at {key}", count=1)
            return self._send(request, key, iter([letter]))
        with closing(_reader()) as reader:
            if request.method != "POST":
                count = _search(reader, "", key).counts.total()
                return self.page(request, "requeue", "Send them again?", what=f"All of the reason {key}", count=count)
            return self._send(request, key, _chosen(reader, "", key))

    def _send(self, request: HttpRequest, key: str, letters: Iterator[StoredLetter]) -> HttpResponse:
        sent: list[object] = []
        sink = bootstrap.swap_sink(load_config(), sent.append)
        done = requeue(letters, sink, as_of_now="now" in request.POST)
        text = f"Sent again: {len(sent)} of {done.tried}; {len(done.left_out)} left out because they are not whole."
        self.note(request, key, text)
        return redirect("admin:api_deadletter_changelist")


def _reader() -> DeadLetterReader:
    return bootstrap.dead_letter_reader(load_config())


def _one(place: str) -> StoredLetter:
    partition, _, offset = place.partition(":")
    if not (partition.isdecimal() and offset.isdecimal() and len(place) < 30):
        raise Http404("There is no such place.")
    with closing(_reader()) as reader:
        letter = reader.letter(int(partition), int(offset))
    if letter is None:
        raise Http404("There is no dead letter at this place.")
    return letter


def _search(reader: DeadLetterReader, words: str, reason: str) -> Found:
    """Raises SourceUnavailable, SourceChanged."""
    counts: Counter[str] = Counter()

    def counted() -> Iterator[StoredLetter]:
        for letter in islice(_chosen(reader, words, reason), MOST_LOOKED_AT):
            counts[letter.headers.get("reason", "no reason given")] += 1
            yield letter

    newest = heapq.nlargest(MOST_SHOWN, counted(), key=lambda it: (it.stored_ms, it.partition, it.offset))
    return Found(newest, counts, counts.total() == MOST_LOOKED_AT)


def _chosen(reader: DeadLetterReader, words: str, reason: str) -> Iterator[StoredLetter]:
    looked_for = words.encode()
    for letter in reader.letters():
        if reason and letter.headers.get("reason") != reason:
            continue
        texts = (letter.key or b"", letter.value or b"", *(value.encode() for value in letter.headers.values()))
        if not looked_for or any(looked_for in text for text in texts):
            yield letter


def _shown(letter: StoredLetter) -> dict[str, Any]:
    header = letter.headers.get
    return {
        "place": f"{letter.partition}:{letter.offset}",
        "stored": time_of(letter.stored_ms),
        "reason": header("reason", ""),
        "detail": header("detail", ""),
        "source": f"{header('source_topic', '?')} {header('source_partition', '?')}:{header('source_offset', '?')}",
        "key": _readable(letter.key),
        "size": len(letter.value or b""),
    }


def _readable(data: bytes | None) -> str:
    return "(none)" if data is None else data.decode(errors="backslashreplace")


def _hexadecimal(data: bytes | None) -> str:
    """Sixteen bytes a line, with their offsets."""
    content = data or b""
    lines = (content[start : start + 16] for start in range(0, min(len(content), 4_096), 16))
    return "\n".join(f"{number * 16:06x}  {line.hex(' ')}" for number, line in enumerate(lines))
