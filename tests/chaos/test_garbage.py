"""Garbage of every kind: it stops nothing, is counted, and lies in the dead letter queue once, with its reason."""

import json
import time
from collections import ChainMap, Counter
from collections.abc import Callable
from typing import Any

import pytest
from confluent_kafka import Producer
from redis import Redis

from swapstats.adapters.kafka.dead_letters import KEPT_BYTES
from tests.chaos.arena import Arena
from tests.chaos.topic import LogRecord
from tests.chaos.verdict import wait_for

pytestmark = [pytest.mark.chaos, pytest.mark.kafka, pytest.mark.redis]

Make = Callable[..., Arena]
Conclude = Callable[..., None]
Garbage = list[tuple[str, bytes | None]]

MAX_BYTES = 1_048_576


def test_garbage(make_arena: Make, conclude: Conclude) -> None:
    """Among good records, and with workers that are killed when their letters are noted and nothing else is saved, and
    while they write them."""
    arena = make_arena(settings={"ingest": {"max_invalid_share": 1}}).begin(history=200)
    sent = [send(arena, garbage(arena))]
    wait_until_put_away(arena, sent[0])
    arena.kill_worker(arena.workers.pop())
    for _ in range(2):
        arena.start_worker()
        sent.append(send(arena, garbage(arena)))
        wait_until_put_away(arena, dict([min(sent[-1].items())]))
        arena.kill_worker(arena.workers.pop())
    arena.start_worker()
    arena.wait_until_live()
    conclude(arena, "garbage of every kind")
    stored = arena.topic.read_dead_letters()
    letters = {place_of(letter): letter for letter in stored}
    assert len(letters) == len(stored) == arena.outcomes()["dead_lettered"]
    log = {(record.partition, record.offset): record for record in arena.topic.read()}
    for place, reason in ChainMap(*sent).items():
        check(letters[place], log[place], reason, arena.topic.name)


def garbage(arena: Arena) -> Garbage:
    """Reason and value of each."""
    event = arena.feed.swaps.swap(round(time.time() * 1000), age_ms=0)
    good = json.dumps(event).encode()

    def changed(**fields: Any) -> bytes:
        return json.dumps({**event, **fields}).encode()

    def bare(name: str, characters: str) -> bytes:
        """The characters as they are where a value would stand."""
        return changed(**{name: "@"}).replace(b'"@"', characters.encode())

    return [
        *(
            ("malformed_json", value)
            for value in (None, b"", b"\x00\x01\x02", b"\xff\xfe" + good, good[:-20], b"{" * 900)
        ),
        *(
            ("malformed_json", value)
            for value in (b"null", b"[1]", b"7", b'"swap"', b"[" * 5_000, bare("amount_usd", "NaN"))
        ),
        *(("malformed_json", bare("amount_token", word)) for word in ("Infinity", "-Infinity", "0x10", "1,5")),
        *(
            ("bad_field", bare("amount_usd", number))
            for number in ("1" + "0" * 400, "1e400", "-1", "true", "{}", "null")
        ),
        *(("bad_field", changed(amount_token=text)) for text in ("NaN", "inf", "1e400", "", "1 000", "-0.1", "٣")),
        *(("bad_field", changed(side=side)) for side in ("hold", "BUY", None, 1)),
        *(("bad_field", changed(chain_id=number)) for number in (0, -1, 2**63, "1", 1.5, None)),
        *(("bad_field", changed(log_index=number)) for number in (-1, 2**32, "7")),
        *(("bad_field", changed(tx_hash=text)) for text in ("", "0x" + "a" * 127, 7, None)),
        *(("bad_field", changed(token_address=text)) for text in ("", "x" * 129, ["0x1"])),
        *(("bad_field", changed(event_time=time)) for time in ("yesterday", -1, 1.5, "2026-02-30T00:00:00Z", None)),
        *(("bad_field", changed(removed=word)) for word in ("yes", 1, None)),
        *(("bad_field", changed(schema_version=word)) for word in ("1", None, True)),
        *(("missing_field", without(event, name)) for name in event if name in REQUIRED),
        *(("event_id_mismatch", changed(event_id=id)) for id in ("1:0xdead:0", "", "swap")),
        *(("from_the_future", changed(event_time=time)) for time in (253_402_300_799_999, "2199-01-01T00:00:00Z")),
        *(("unsupported_schema_version", changed(schema_version=version)) for version in (0, 2, -1, 2**80)),
        ("unsupported_schema_version", b'{"schema_version": 2, "swaps": []}'),
        *(("too_large", changed(padding="x" * size)) for size in (MAX_BYTES, 5 * MAX_BYTES)),
    ]


REQUIRED = ("chain_id", "tx_hash", "log_index", "side", "amount_token", "amount_usd", "event_time", "token_address")


def without(event: dict[str, Any], name: str) -> bytes:
    return json.dumps({key: value for key, value in event.items() if key != name}).encode()


def send(arena: Arena, records: Garbage) -> dict[tuple[int, int], str]:
    """Writes each to any partition, between good ones; gives the reason by where it was put."""
    huge = {"message.max.bytes": 10 * MAX_BYTES, "compression.type": "gzip"}
    producer, places = Producer({"bootstrap.servers": arena.topic.brokers, "acks": "all", **huge}), {}
    for reason, value in records:

        def note(error: Any, message: Any, reason: str = reason) -> None:
            assert error is None, error
            places[message.partition(), message.offset()] = reason

        producer.produce(arena.topic.name, value, b"\xffkey", on_delivery=note)
    assert producer.flush(60) == 0
    assert Counter(places.values()) == Counter(reason for reason, _ in records)
    return places


def wait_until_put_away(arena: Arena, places: dict[tuple[int, int], str]) -> None:
    """Until it is noted that all of these letters are acknowledged."""
    last = {partition: max(offset for number, offset in places if number == partition) for partition, _ in places}

    def lacking() -> str | None:
        with Redis.from_url(arena.redis_url) as client:
            keys = {number: f"chaos:snap:{arena.state.source()}:{number}" for number in last}
            noted = {number: int(client.hget(key, "dead_letters_before") or 0) for number, key in keys.items()}
        return None if all(noted[number] > offset for number, offset in last.items()) else f"noted {noted} of {last}"

    wait_for(lacking, 60)


def place_of(letter: LogRecord) -> tuple[int, int]:
    return int(letter.headers["source_partition"]), int(letter.headers["source_offset"])


def check(letter: LogRecord, record: LogRecord, reason: str, topic: str) -> None:
    assert letter.headers["reason"].decode() == reason, (letter.headers["detail"], record.value and record.value[:300])
    cut = letter.headers.get("truncated_from")
    if cut:
        assert (reason, int(cut), len(letter.value or b"")) == ("too_large", len(record.value or b""), KEPT_BYTES[0])
        assert (record.value or b"").startswith(letter.value or b"-")
    else:
        assert letter.value == record.value
    assert letter.key == record.key
    assert letter.headers["source_topic"].decode() == topic
    assert int(letter.headers["source_timestamp"]) == record.timestamp_ms
    assert letter.headers["detail"]
