"""A steady feed of everything that a real one brings: disorder, late swaps, duplicates, reorgs, broken records.

What it sent does not matter to the verdict, which is taken from what the log holds.
"""

import json
import random
import threading
import time
from collections import deque
from collections.abc import Iterator
from typing import Any, Literal, Self

from confluent_kafka import Producer

Event = dict[str, Any]
Keying = Literal["token", "event", "nothing"]

REMEMBERED = 3_000
RECENT = 400
DAY_MS = 86_400_000
FLUSH_SECONDS = 120


class Swaps:
    """Makes up records, seeded."""

    def __init__(self, seed: int, tokens: int = 40) -> None:
        self.random = random.Random(seed)
        self._tokens = [
            (self.random.choice((1, 56, 8453)), f"0x{self.random.getrandbits(160):040x}") for _ in range(tokens)
        ]
        self._sent: deque[Event] = deque(maxlen=REMEMBERED)
        self._block = 1_000

    def records(self, now_ms: int) -> Iterator[tuple[Event | None, bytes]]:
        """What is sent at one moment: mostly one record, two or three for a reorganisation."""
        roll = self.random.random()
        if roll < 0.010:
            yield None, self._broken(now_ms)
        elif roll < 0.015:
            yield from self._removal_first(now_ms)
        elif roll < 0.065 and self._sent:
            yield self._written(self._repeated())
        elif roll < 0.100 and self._sent:
            yield from self._reorg(now_ms)
        else:
            yield self._written(self.swap(now_ms))

    def swap(self, now_ms: int, age_ms: int | None = None) -> Event:
        """A new swap; without `age_ms` of any plausible age, also too old or some seconds ahead."""
        r = self.random
        chain_id, address = self._tokens[min(int(r.expovariate(0.12)), len(self._tokens) - 1)]
        self._block += r.random() < 0.2
        event = {
            "chain_id": chain_id,
            "tx_hash": f"0x{r.getrandbits(256):064x}",
            "log_index": r.randrange(200),
            "token_address": address,
            "token_symbol": f"T{address[2:5].upper()}",
            "side": r.choice(("buy", "sell")),
            "amount_token": f"{r.randrange(10**9)}.{r.randrange(10**18):018d}",
            "amount_usd": r.choice((f"{r.randrange(10**6)}.{r.randrange(10**6):06d}", r.randrange(10**4))),
            "event_time": now_ms - (self._age_ms() if age_ms is None else age_ms),
            "block_number": self._block,
            "block_hash": f"0x{r.getrandbits(64):064x}",
        }
        self._sent.append(event)
        return event

    def _age_ms(self) -> int:
        r, roll = self.random, self.random.random()
        if roll < 0.02:
            return r.randrange(121_000, 600_000)  # late
        if roll < 0.04:
            return -r.randrange(50_000)  # a clock that runs ahead
        return r.randrange(100_000) if roll < 0.15 else r.randrange(4_000)

    def _earlier(self) -> Event:
        """One that was sent before, mostly a moment ago."""
        if self.random.random() < 0.6:
            return self._sent[-self.random.randrange(1, min(RECENT, len(self._sent)) + 1)]
        return self.random.choice(self._sent)

    def _repeated(self) -> Event:
        event = self._earlier()
        if self.random.random() < 0.3:
            return {**event, "tx_hash": "0x" + event["tx_hash"][2:].upper()}
        return event

    def _reorg(self, now_ms: int) -> Iterator[tuple[Event, bytes]]:
        """A swap is taken back, at times twice, and mostly comes again in another block."""
        event = self._earlier()
        yield self._written({**event, "removed": True})
        if self.random.random() < 0.2:
            yield self._written({**event, "removed": True})
        if self.random.random() < 0.7:
            again = {**event, "block_hash": f"0x{self.random.getrandbits(64):064x}", "event_time": now_ms - 1_000}
            self._sent.append(again)
            yield self._written(again)

    def _removal_first(self, now_ms: int) -> Iterator[tuple[Event, bytes]]:
        event = self.swap(now_ms)
        yield self._written({**event, "removed": True})
        yield self._written(event)

    def _broken(self, now_ms: int) -> bytes:
        event = self.swap(now_ms)
        self._sent.pop()
        broken: list[bytes] = [
            b"",
            b"{not json",
            b"[1, 2]",
            json.dumps({**event, "amount_usd": "-1"}).encode(),
            json.dumps({**event, "side": "hold"}).encode(),
            json.dumps({**event, "event_id": "1:0xff:1"}).encode(),
            json.dumps({**event, "schema_version": 2}).encode(),
            json.dumps({**event, "event_time": now_ms + 3_600_000}).encode(),
            json.dumps({key: value for key, value in event.items() if key != "tx_hash"}).encode(),
        ]
        return self.random.choice(broken)

    def _written(self, event: Event) -> tuple[Event, bytes]:
        return event, json.dumps(event).encode()


class Feed:
    """Sends `rate` records a second to `topic` from a thread, until stopped."""

    def __init__(self, brokers: str, topic: str, *, rate: float, seed: int, keying: Keying = "token") -> None:
        self.topic = topic
        self.swaps = Swaps(seed)
        self.rate = rate
        self.failed: list[str] = []
        self._keying = keying
        self._producer = Producer(
            {
                "bootstrap.servers": brokers,
                "enable.idempotence": True,
                "linger.ms": 5,
                "message.timeout.ms": 300_000,
                "reconnect.backoff.max.ms": 1_000,
                "topic.metadata.refresh.interval.ms": 2_000,
            }
        )
        self._stopping = threading.Event()
        self._paused = threading.Event()
        self._turn = threading.Lock()
        self._thread = threading.Thread(target=self._run, name="feed", daemon=True)

    def history(self, records: int, span_ms: int = DAY_MS + 3_600_000) -> None:
        """Writes what a day before would have left in the log, oldest first, with the timestamps of then."""
        now_ms = _now_ms()
        for i in range(records):
            at_ms = now_ms - span_ms + span_ms * i // records
            for event, value in self.swaps.records(at_ms):
                self._send(event, value, at_ms)
        self.flush()

    def start(self) -> Self:
        self._thread.start()
        return self

    def pause(self) -> None:
        """Returns once everything so far is acknowledged."""
        self._paused.set()
        with self._turn:
            self.flush()

    def resume(self) -> None:
        self._paused.clear()

    def stop(self) -> None:
        """Returns once everything is acknowledged."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join(FLUSH_SECONDS)
        self.flush()

    def flush(self) -> None:
        assert self._producer.flush(FLUSH_SECONDS) == 0, "the broker did not take all records"
        assert not self.failed, f"records that the broker refused: {self.failed[:3]}"

    def send(self, event: Event | None, value: bytes) -> None:
        """One record of the test's own."""
        self._send(event, value, _now_ms())

    def _run(self) -> None:
        owed, before = 0.0, time.monotonic()
        while not self._stopping.wait(0.01):
            now = time.monotonic()
            owed += 0.0 if self._paused.is_set() else (now - before) * self.rate
            before = now
            with self._turn:
                while owed >= 1 and not self._paused.is_set():
                    owed -= self._send_one()
            self._producer.poll(0)

    def _send_one(self) -> int:
        """How many records that were."""
        now_ms, count = _now_ms(), 0
        for event, value in self.swaps.records(now_ms):
            self._send(event, value, now_ms)
            count += 1
        return count

    def _send(self, event: Event | None, value: bytes, at_ms: int) -> None:
        self._producer.produce(self.topic, value, self._key(event), timestamp=at_ms, on_delivery=self._note)
        if len(self._producer) > 50_000:
            self._producer.poll(0.1)

    def _key(self, event: Event | None) -> str | None:
        if event is None or self._keying == "nothing":
            return None
        if self._keying == "token":
            return f"{event['chain_id']}:{event['token_address']}"
        return f"{event['chain_id']}:{event['tx_hash'].lower()}:{event['log_index']}"

    def _note(self, error: Any, _: Any) -> None:
        if error is not None:
            self.failed.append(str(error))


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
