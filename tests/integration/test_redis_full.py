"""A worker whose Redis is full: it stays up, tries again with patience, and goes on when there is room."""

import json
import os
import re
import sys
import time
import urllib.request
from collections.abc import Callable

import redis

from settings.config.values import PROJECT_DIR
from swapstats.adapters.embedded.kafka_broker import KafkaBroker
from swapstats.adapters.system.child_process import ChildProcess
from swapstats.adapters.system.listener import free_port

TOPIC = "swaps"


def until(check: Callable[[], bool], what: str, seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not check():
        assert time.monotonic() < deadline, what
        time.sleep(0.1)


def metric(port: int, name: str) -> float:
    """0 while there is no answer."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as answer:
            found = re.search(rf"^{name} (\S+)$", answer.read().decode(), re.MULTILINE)
    except OSError:
        return 0.0
    return float(found[1]) if found else 0.0


def test_a_worker_waits_for_room(own_redis, tmp_path):
    port = free_port()
    with KafkaBroker({TOPIC: 2, f"{TOPIC}.dlq": 1}) as broker:
        environment = {
            "PATH": os.environ["PATH"],
            "SWAPSTATS_INGEST__BROKERS": json.dumps([broker.bootstrap]),
            "SWAPSTATS_INGEST__TOPIC": TOPIC,
            "SWAPSTATS_STORES__REDIS__URL": own_redis.url(2),
            "SWAPSTATS_PUBSUB__CHANNEL_LAYER__URL": own_redis.url(3),
            "SWAPSTATS_EMBEDDED__DATA_DIR": str(tmp_path),
            "SWAPSTATS_METRICS__PROMETHEUS": f"127.0.0.1:{port}",
            "SWAPSTATS_METRICS__PPROF": "null",
        }
        manage = [sys.executable, "manage.py"]
        feed = [*manage, "generate", "--rate", "50"]
        with (
            ChildProcess("consume", [*manage, "consume"], env=environment, cwd=PROJECT_DIR) as worker,
            ChildProcess("feed", feed, env=environment, cwd=PROJECT_DIR),
            redis.Redis.from_url(own_redis.url()) as client,
        ):
            until(lambda: metric(port, "events_applied_total") > 50, "swaps are applied")
            client.config_set("maxmemory", 1)
            until(lambda: metric(port, "restores_after_failure_total") >= 3, "the worker tries again")
            started, tries = time.monotonic(), metric(port, "restores_after_failure_total")
            until(lambda: time.monotonic() - started > 4, "time passes")
            assert metric(port, "restores_after_failure_total") - tries < 12, "with pauses that grow"
            assert worker.is_running
            client.config_set("maxmemory", 0)
            before = metric(port, "events_applied_total")
            until(lambda: metric(port, "events_applied_total") > before + 50, "it goes on by itself")
