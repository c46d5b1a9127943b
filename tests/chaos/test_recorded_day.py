"""The recorded day of real swaps through `manage.py consume`, killed in the middle of it: exact at each instant.

Times are moved by whole minutes so that each instant comes soon, in a log of its own; then nothing but the clock on the
wall says what the windows cover.
"""

import gzip
import json
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import ExitStack
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from confluent_kafka import Producer

from realtime.stats_body import stats_body
from realtime.view import LiveView
from swapstats.adapters.embedded.redis_server import RedisServer
from tests.chaos.arena import Arena
from tests.chaos.topic import Topic
from tests.chaos.verdict import wait_until_settled

pytestmark = [pytest.mark.chaos, pytest.mark.kafka, pytest.mark.redis, pytest.mark.slow]

DAY = "uniswap_v3_eth_2024-01-05"
MINUTE_MS, BUCKET_MS, DELAY_MS = 60_000, 5_000, 1_500
PREPARED_MS = 90_000
"""How long it takes at most until all workers have been killed, started again, and have read everything."""


class Instant:
    """What was recorded until an instant of the day, moved so that the instant lies close to `minute_ms`."""

    def __init__(self, arena: Arena, text: str, events: Sequence[dict[str, Any]], minute_ms: int) -> None:
        at_ms = milliseconds(text)
        from_minute_ms = (at_ms + MINUTE_MS // 2) % MINUTE_MS - MINUTE_MS // 2
        self.arena = arena
        self.bucket = (minute_ms + from_minute_ms) // BUCKET_MS
        self.shift_ms = minute_ms + from_minute_ms - at_ms
        self.events = [event for event in events if milliseconds(event["event_time"]) + DELAY_MS <= at_ms]
        self.told: dict[str, Any] = {}

    def write(self, first: float, last: float) -> None:
        """A stretch of the events, as parts of their number."""
        producer = Producer({"bootstrap.servers": self.arena.topic.brokers, "acks": "all"})
        count = len(self.events)
        for number in range(int(first * count), int(last * count)):
            event = self.events[number]
            at_ms = milliseconds(event["event_time"]) + self.shift_ms
            value = json.dumps({**event, "event_time": at_ms})
            place = number % self.arena.topic.partitions
            producer.produce(self.arena.topic.name, value, partition=place, timestamp=at_ms + DELAY_MS)
        assert producer.flush(60) == 0

    def kill_in_the_middle(self) -> None:
        """While there is more to read; and what was read last has not been saved."""
        self.arena.wait_until_live()
        self.write(0.5, 0.8)
        self.arena.kill_worker(self.arena.workers.pop())
        self.write(0.8, 1)
        self.arena.start_worker()

    def look(self, token: str) -> None:
        """Take down what is told in the bucket of the instant, once all of its records are in."""
        live = self.arena.state.live()
        if {partition.meta.as_of_ms // BUCKET_MS for partition in live.values()} == {self.bucket}:
            assert {number: partition.meta.offset for number, partition in live.items()} == self.arena.topic.ends()
            view = LiveView()
            view.replace_all("log", live)
            self.told = stats_body(view.opening(token), 1)["windows"]


def milliseconds(time: str) -> int:
    return round(datetime.fromisoformat(time).timestamp() * 1000)


def test_killed_in_the_middle(shared_data: Path, tmp_path: Path, kafka_bootstrap: str, own_redis: RedisServer) -> None:
    lines = gzip.decompress((shared_data / f"{DAY}.jsonl.gz").read_bytes()).splitlines()
    expected = json.loads((shared_data / f"{DAY}.expected.json").read_text())
    events = [json.loads(line) for line in lines]
    minute_ms = (round(time.time() * 1000) + PREPARED_MS) // MINUTE_MS * MINUTE_MS + MINUTE_MS
    with ExitStack() as stack:
        instants = {}
        for number, text in enumerate(expected["at"]):
            topic = Topic(kafka_bootstrap, f"day-{uuid4().hex[:8]}", partitions=2)
            topic.create()
            arena = stack.enter_context(Arena(tmp_path / str(number), topic, own_redis.url(number), seed=number))
            instants[text] = Instant(arena, text, events, minute_ms)
        for instant in instants.values():
            instant.write(0, 0.5)
            instant.arena.start_worker()
        for instant in instants.values():
            instant.kill_in_the_middle()
        for instant in instants.values():
            instant.arena.wait_until_live()
        assert time.time() * 1000 < minute_ms - BUCKET_MS, "this machine was too slow to be ready in time"
        waiting = list(instants.values())
        while waiting and time.time() * 1000 < minute_ms + 2 * BUCKET_MS:
            for instant in waiting:
                instant.look(expected["token"])
            waiting = [instant for instant in waiting if not instant.told]
            time.sleep(0.05)
        for text, instant in instants.items():
            check(instant, expected["at"][text], text)


def check(instant: Instant, expected: dict[str, Any], text: str) -> None:
    shown = {name: {key: instant.told[name].get(key) for key in window} for name, window in expected.items()}
    for name, window in expected.items():
        assert milliseconds(shown[name].pop("from")) == milliseconds(window.pop("from")) + instant.shift_ms
        assert shown[name] == window, (text, name)
    wait_until_settled(instant.arena.state, instant.arena.topic.ends())
    assert instant.arena.outcomes() == Counter(applied=len(instant.events))
