"""A running system under the loads that were asked for, and what an independent model says of it afterwards."""

import asyncio
import json
import sysconfig
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple
from urllib.request import urlopen

from aggregator.feeds.journal import read_journal
from settings.config import RedisStore
from settings.config.load import variable
from settings.config.values import PROJECT_DIR
from swapstats.adapters.system.child_process import ChildProcess
from swapstats.adapters.system.listener import free_port
from swapstats.ports.swap_sink import Sent
from tests.chaos.topic import Topic
from tests.chaos.verdict import State, judge, wait_for, wait_until_settled
from tests.chaos.watch import Watch
from tests.load.probe import Probe
from tests.load.report import percentile
from tests.load.system import System, cpu_seconds
from tests.load.trend import Figure
from tests.oracle import Counted, Oracle

START_SECONDS = 60
STOP_SECONDS = 30
SETTLE_SECONDS = 300
REST_WORKERS = 2
NO_LIMIT = json.dumps({"refill_per_sec": 1_000_000, "burst": 1_000_000})


class Deployment:
    """A worker and a WebSocket process from the beginning; feeds, each with a journal, as they are asked for."""

    def __init__(self, system: System, directory: Path, partitions: int, tokens: int) -> None:
        self._system, self._directory, self._tokens = system, directory, tokens
        self._topic = Topic(system.kafka.bootstrap, system.topic, partitions)
        self._store = RedisStore(url=system.environment[variable("stores.redis.url")])
        self._state = State(lambda: self._store)
        self._workers = [self._worker()]
        port = free_port()
        self._web = system.command("serve", api__http__addr=f"127.0.0.1:{port}")
        self._web.wait_until(lambda: _answers(port), START_SECONDS, "answer")
        self._probe = Probe(system.kafka.bootstrap, system.topic, port)
        self._journals: list[Path] = []

    def stop(self) -> None:
        for process in (self._web, *self._workers):
            process.stop(STOP_SECONDS)

    def _worker(self) -> ChildProcess:
        return self._system.command("consume", metrics__prometheus=f"127.0.0.1:{free_port()}")

    def _feed(self, rate: int, seconds: float) -> ChildProcess:
        """Each has a seed of its own: the swaps of another would be known already."""
        journal = self._directory / f"feed-{len(self._journals)}.jsonl"
        self._journals.append(journal)
        limits = ("--rate", str(rate), "--duration", str(seconds), "--tokens", str(self._tokens))
        return self._system.command("generate", *limits, "--seed", str(len(self._journals)), "--out", str(journal))

    # The loads

    def feed(self, rate: int, seconds: float) -> list[Figure]:
        """So many swaps a second, while the probe looks how long one takes to a client."""
        feed, began = self._feed(rate, seconds), time.monotonic()
        cpu = cpu_seconds(self._workers[0].pid)
        asyncio.run(self._probe.run(seconds))
        _wait_for_end(feed, seconds)
        took, times = time.monotonic() - began, self._probe.times_ms
        records = sum(1 for _ in read_journal(self._journals[-1]))
        cpu = cpu_seconds(self._workers[0].pid) - cpu
        at = f"at {rate:,} swaps/s"
        return [
            Figure(f"records acknowledged {at}, {seconds:.0f} s and what was put off", records),
            Figure(f"CPU of the worker {at}", 100 * cpu / took, "% of a core", "lower"),
            Figure(f"produce to frame {at}, p50", percentile(times, 0.5), "ms", "lower"),
            Figure(f"produce to frame {at}, p90", percentile(times, 0.9), "ms"),
            Figure(f"produce to frame {at}, p99", percentile(times, 0.99), "ms", "lower"),
            Figure(f"produce to frame {at}, longest of {len(times)}", max(times), "ms"),
        ]

    @contextmanager
    def fed(self, rate: int) -> Iterator[None]:
        """So many swaps a second for as long as it lasts."""
        feed = self._feed(rate, 86_400)
        try:
            yield
        finally:
            feed.stop(STOP_SECONDS)

    @contextmanager
    def rest_workers(self) -> Iterator[str]:
        """WSGI workers as compose runs them, with limits that nobody reaches; gives their address."""
        port = free_port()
        granian = Path(sysconfig.get_path("scripts"), "granian")
        words = ["--interface", "wsgi", "--host", "127.0.0.1", "--port", str(port), "--workers", str(REST_WORKERS)]
        words += ["--blocking-threads", "8", "--no-access-log", "swapstats.wsgi:application"]
        settings = {
            variable("rate_limit.by_ip"): NO_LIMIT,
            "PROMETHEUS_MULTIPROC_DIR": str(self._directory / "metrics"),
        }
        environment = self._system.environment | settings
        with ChildProcess("granian", [granian, *words], env=environment, cwd=PROJECT_DIR) as rest:
            rest.wait_until(lambda: _answers(port, "/readyz"), START_SECONDS, "become ready")
            yield f"http://127.0.0.1:{port}"

    def kill_one(self, rate: int, seconds: float) -> list[Figure]:
        """One of two workers is killed -9 while a feed goes on; the other takes over."""
        self._workers.append(self._worker())
        pids = {worker.pid for worker in self._workers}
        wait_for(lambda: None if self._owners() == pids else f"partitions are held by {self._owners()}", START_SECONDS)
        feed = self._feed(rate, seconds)
        with Watch(lambda: self._store) as watch:
            time.sleep(seconds / 3)
            watch.reset()
            self._workers.pop(0).kill()
            _wait_for_end(feed, seconds)
            began = time.monotonic()
            wait_until_settled(self._state, self._topic.ends(), SETTLE_SECONDS)
            settled = time.monotonic() - began
        return [
            Figure(f"a worker killed at {rate:,} swaps/s: longest silence of a partition", watch.longest_gap_s, "s"),
            Figure("from the feed's end until all was read and saved", settled, "s"),
        ]

    def _owners(self) -> set[int]:
        return {int(owner.rpartition(":")[2]) for owner in self._state.owners() if owner}

    # What came of it

    def judge(self) -> list[Figure]:
        """Every token's every window and every outcome, compared with what the journals say."""
        model, places = Oracle(), [Place(number) for number in range(self._topic.partitions)]
        log: list[Place] = []
        for record in self._sent():
            model.record(record.value, record.timestamp_ms)
            log.append(places[record.partition])
        verdict = judge(self._state, _ByToken.of(model), log, self._topic.partitions)
        for wrong in (verdict.wrong_totals + verdict.wrong_outcomes)[:10]:
            print(f"WRONG   {wrong}")
        return [
            Figure("records compared with the journals", verdict.records),
            Figure("swaps lost", verdict.lost),
            Figure("swaps counted twice", verdict.doubled),
            Figure("wrong totals or outcomes", len(verdict.wrong_totals) + len(verdict.wrong_outcomes)),
        ]

    def _sent(self) -> Iterator[Sent]:
        """What was acknowledged, each token's records in the order of their offsets: one journal after the other, and
        the probe's own token."""
        for journal in self._journals:
            yield from read_journal(journal)
        yield from self._probe.sent


class Place(NamedTuple):
    """All that outcomes are counted by; a record's own value need not be kept."""

    partition: int


class _ByToken(Oracle):
    """The same model, which looks only at a token's own swaps when it is asked about that token."""

    own: dict[str, dict[tuple[str, str], Counted]]

    @classmethod
    def of(cls, model: Oracle) -> "_ByToken":
        grouped = cls(outcomes=model.outcomes, counted=model.counted)
        grouped.own = {}
        for occurrence, swap in model.counted.items():
            grouped.own.setdefault(swap.token, {})[occurrence] = swap
        return grouped

    def stats(self, token: str, now_ms: int) -> dict[str, Any]:
        return Oracle(counted=self.own.get(token, {})).stats(token, now_ms)


def _wait_for_end(feed: ChildProcess, seconds: float) -> None:
    feed.wait_until(lambda: not feed.is_running, seconds + SETTLE_SECONDS, "end")
    if feed.exit_code:
        raise feed.died()


def _answers(port: int, path: str = "/healthz") -> bool:
    try:
        with urlopen(f"http://127.0.0.1:{port}{path}", timeout=2):
            return True
    except OSError:
        return False
