"""A whole deployment of real processes, to be broken: workers, web processes, a feed, and somebody who watches."""

import json
import os
import socket
import sys
import time
import uuid
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from datetime import datetime
from pathlib import Path
from typing import Any, Self
from urllib.request import urlopen

import yaml

from settings.config import RedisStore
from settings.config.load import variable
from swapstats.adapters.system.child_process import ChildProcess
from swapstats.adapters.system.listener import free_port
from tests.chaos.client import Client
from tests.chaos.feed import Feed, Keying
from tests.chaos.report import Row
from tests.chaos.topic import LogRecord, Topic
from tests.chaos.verdict import (
    WINDOWS,
    State,
    Verdict,
    compare_told,
    judge,
    model_of,
    wait_for,
    wait_until_settled,
)
from tests.chaos.watch import Watch

PROJECT = Path(__file__).resolve().parents[2]
START_SECONDS = 60
STOP_SECONDS = 30
PATIENCE_SECONDS = 60


class Arena:
    """Starts with nothing running but what it is given: a topic on a broker and a Redis."""

    def __init__(
        self,
        directory: Path,
        topic: Topic,
        redis_url: str,
        *,
        seed: int,
        rate: float = 250,
        keying: Keying = "token",
        settings: Mapping[str, Any] | None = None,
        tweaks: Sequence[str] = (),
    ) -> None:
        self.directory = directory
        self.topic = topic
        self.seed = seed
        self.redis_url = redis_url
        self.faults: list[str] = []
        self.workers: list[ChildProcess] = []
        self.webs: list[ChildProcess] = []
        self.web_ports: list[int] = []
        self.feed = Feed(topic.brokers, topic.name, rate=rate, seed=seed, keying=keying)
        self.watch = Watch(self.store)
        self.state = State(self.store)
        self.order_is_known = keying != "nothing"
        self._settings = dict(settings or {})
        self._tweaks = tweaks
        self._stack = ExitStack()
        self._started = 0

    def store(self) -> RedisStore:
        """Where the state is, as seen by those who only look."""
        return RedisStore(url=self.redis_url, prefix="chaos:")

    def __enter__(self) -> Self:
        self.directory.mkdir(parents=True, exist_ok=True)
        self._write_config()
        self._stack.enter_context(self.watch)
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()
        for child in (*self.webs, *self.workers):
            child.stop(STOP_SECONDS)

    def _write_config(self) -> None:
        windows = {
            name: {"length": f"{length}ms", "bucket": f"{bucket}ms"} for name, (length, bucket) in WINDOWS.items()
        }
        config = {
            "ingest": {
                "start": "earliest",
                "brokers": self.topic.brokers.split(","),
                "topic": self.topic.name,
                "group_id": f"group-{uuid.uuid4().hex[:8]}",
            },
            "app": {"windows": windows},
            "stores": {"redis": {"url": self.redis_url, "prefix": "chaos:"}},
            "pubsub": {"channel_layer": {"url": self.redis_url}},
            "security": {"jwt": {"enabled": False}},
            "metrics": {"prometheus": None, "pprof": None},
            "embedded": {"data_dir": str(self.directory / "var")},
        }
        (self.directory / "config.yaml").write_text(yaml.safe_dump(_merged(config, self._settings), sort_keys=False))

    # What runs

    def start_worker(self, env: Mapping[str, str] | None = None) -> ChildProcess:
        """Returns at once; `wait_for_words` says when it has taken partitions."""
        worker = self._start("worker", "consume", env)
        self.workers.append(worker)
        return worker

    def start_web(self, env: Mapping[str, str] | None = None) -> int:
        """A web process, on the port that is returned once it listens."""
        port = free_port()
        web = self._start("web", "serve", {**(env or {}), variable("api.http.addr"): f"127.0.0.1:{port}"})
        web.wait_until(lambda: _listens(port), START_SECONDS, "listen")
        self.webs.append(web)
        self.web_ports.append(port)
        return port

    def _start(self, kind: str, command: str, env: Mapping[str, str] | None) -> ChildProcess:
        self._started += 1
        log = self._stack.enter_context((self.directory / f"{kind}-{self._started}.log").open("w", buffering=1))
        environment = {**os.environ, "SWAPSTATS_CONFIG": str(self.directory / "config.yaml"), **(env or {})}
        environment.setdefault("PYTHONUNBUFFERED", "1")
        return ChildProcess(
            f"{kind} {self._started}",
            [sys.executable, *self._program(), command],
            env=environment,
            cwd=PROJECT,
            on_line=lambda line: log.closed or log.write(f"{line}\n"),
        )

    def logs(self, kind: str = "worker") -> str:
        """All that the processes of this kind have said."""
        return "".join(path.read_text() for path in sorted(self.directory.glob(f"{kind}-*.log")))

    def _program(self) -> list[str]:
        """manage.py, with something in the product replaced first where a scenario asks for it."""
        if not self._tweaks:
            return [str(PROJECT / "manage.py")]
        path = self.directory / "tweaked_manage.py"
        lines = ["import sys", f"sys.path.insert(0, {str(PROJECT)!r})", "import manage", "import os"]
        lines += ["os.environ.setdefault('DJANGO_SETTINGS_MODULE', 'settings.dev')", "import django", "django.setup()"]
        path.write_text("\n".join([*lines, *self._tweaks, "manage.main()"]) + "\n")
        return [str(path)]

    def wait_for_words(self, words: str, times: int = 1, kind: str = "worker") -> None:
        """Until `words` stand in the logs so many times."""

        def lacking() -> str | None:
            return None if self.logs(kind).count(words) >= times else f"no {kind} said {words!r} {times} times"

        wait_for(lacking, PATIENCE_SECONDS)

    def begin(self, workers: int = 1, history: int = 2_000, env: Mapping[str, str] | None = None) -> Self:
        """History in the log, workers that have read it, a steady feed on top."""
        self.feed.history(history)
        for _ in range(workers):
            self.start_worker(env)
        self.wait_until_live()
        self.feed.start()
        self.watch.reset()
        return self

    def wait_until_live(self) -> None:
        """Until every partition is published up to what the log held when this was called."""
        ends = self.topic.ends()

        def lacking() -> str | None:
            self._assert_workers_live()
            live = self.state.live()
            behind = [number for number, end in ends.items() if number not in live or live[number].meta.offset < end]
            return f"partitions {behind} are not published to {ends}" if behind else None

        wait_for(lacking, PATIENCE_SECONDS)

    def wait_for_all_workers(self) -> None:
        """Until each that runs holds partitions."""

        def lacking() -> str | None:
            owners, pids = self.state.owners(), {worker.pid for worker in self.workers}
            missing = pids - {int(owner.rpartition(":")[2]) for owner in owners}
            return f"the workers with pids {missing} hold no partition" if missing else None

        wait_for(lacking, PATIENCE_SECONDS)

    def wait_for_another_log(self, before: str) -> None:
        """Until the live view is that of another log than `before`; the watch begins anew with it."""
        wait_for(lambda: f"{before} is still live" if self.state.source() == before else None, PATIENCE_SECONDS)
        self.watch.forget()

    def wait_for_records(self, count: int) -> None:
        """Until the log has so many more."""
        then = sum(self.topic.ends().values())
        wait_for(lambda: None if sum(self.topic.ends().values()) >= then + count else "records", PATIENCE_SECONDS)

    def token_ids(self) -> list[str]:
        """Tokens that the live view knows, at most as many as one client may follow."""
        return sorted({token for partition in self.state.live().values() for token in partition.parts})[:100]

    def http_stats(self, port: int) -> dict[str, Any]:
        """Every token's stats, asked of a web process."""
        ids = ",".join(self.token_ids())
        with urlopen(f"http://127.0.0.1:{port}/api/tokens/stats?ids={ids}", timeout=10) as answer:
            return {item["token"]["id"]: item for item in json.load(answer)["items"]}

    def age_s(self, port: int) -> float:
        """How old the oldest of a web process's numbers are."""
        oldest = min(_ms(item["as_of"]) for item in self.http_stats(port).values())
        return time.time() - oldest / 1000

    def memory_mb(self) -> int:
        """Resident memory of the latest worker."""
        status = Path(f"/proc/{self.workers[-1].pid}/status").read_text()
        return int(status.split("VmRSS:")[1].split()[0]) // 1024

    def lag(self) -> int:
        """Records that the log holds and the live view does not yet."""
        live = self.state.live()
        return sum(end - live[number].meta.offset for number, end in self.topic.ends().items())

    def outcomes(self) -> Counter[str]:
        """Of all partitions, as saved."""
        saved = self.state.checkpoints(self.state.source(), self.topic.partitions)
        return sum((outcomes for _, outcomes in saved.values()), Counter())

    def _assert_workers_live(self) -> None:
        if self.workers and not any(worker.is_running for worker in self.workers):
            raise self.workers[-1].died()

    # What is broken, and how it ends

    def fault(self, words: str) -> None:
        """Note what was done; it stands in the report."""
        self.faults.append(words)

    def note(self, words: str) -> None:
        """Something measured, for the report."""
        self.faults.append(words)

    def run_for(self, seconds: float) -> None:
        """Let the feed go on. Time is part of these scenarios: sessions run out, windows move."""
        time.sleep(seconds)

    def kill_worker(self, worker: ChildProcess) -> None:
        self.fault("worker kill -9")
        worker.kill()

    def stop_worker(self, worker: ChildProcess) -> None:
        """SIGTERM; it must save and leave by itself."""
        worker.stop(STOP_SECONDS)
        assert worker.exit_code == 0, worker.died()

    def settle(self, client: Client | None = None, kept: Sequence[LogRecord] = ()) -> Verdict:
        """End the feed, wait until all is published and saved, and judge. `kept` are records that were counted
        although the log does not hold them any more."""
        self.feed.stop()
        wait_until_settled(self.state, self.topic.ends())
        known = {(record.partition, record.offset) for record in kept}
        log = [*kept, *(r for r in self.topic.read() if (r.partition, r.offset) not in known)]
        model = model_of(log)
        verdict = judge(self.state, model, log, self.topic.partitions, order_is_known=self.order_is_known)
        for port in self.web_ports:
            self._wait_for_web(port)
            compare_told(model, self.http_stats(port), verdict)
        if client:
            compare_told(model, {topic.removeprefix("token:"): told for topic, told in client.told.items()}, verdict)
            verdict.wrong_totals += client.broken
        return verdict

    def _wait_for_web(self, port: int) -> None:
        """Until the web process has the steps that are in the store."""
        settled_ms = max(partition.meta.as_of_ms for partition in self.state.live().values())

        def lacking() -> str | None:
            old = [item for item in self.http_stats(port).values() if _ms(item["as_of"]) < settled_ms]
            return f"the web process tells {len(old)} tokens as of earlier" if old else None

        wait_for(lacking, PATIENCE_SECONDS)

    def row(self, scenario: str, verdict: Verdict) -> Row:
        """A line of the report."""
        faults = _counted(self.faults)
        return Row(
            scenario,
            faults,
            verdict.records,
            len(verdict.wrong_totals) + len(verdict.wrong_outcomes),
            verdict.lost,
            verdict.doubled,
            self.watch.longest_gap_s,
        )


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _ms(text: str) -> int:
    return round(datetime.fromisoformat(text).timestamp() * 1000)


def _counted(faults: list[str]) -> str:
    kinds = dict.fromkeys(faults)
    return ", ".join(f"{faults.count(kind)} × {kind}" if faults.count(kind) > 1 else kind for kind in kinds)


def _merged(base: dict[str, Any], more: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(base)
    for key, value in more.items():
        inner = merged.get(key)
        merged[key] = _merged(inner, value) if isinstance(inner, dict) and isinstance(value, Mapping) else value
    return merged
