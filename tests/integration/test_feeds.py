"""`manage.py generate` and `replay` as a user runs them: what they say they sent is what the log holds."""

import gzip
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from io import StringIO
from pathlib import Path

import pytest
from confluent_kafka import Message
from django.core.management import CommandError, call_command

from aggregator.feeds.journal import read_journal
from settings.config import load_config
from tests.contracts.test_dead_letters import read
from tests.oracle import Oracle
from tests.parts.topics import Broker

PROJECT = Path(__file__).resolve().parents[2]
WAIT_SECONDS = 60
DAY = "uniswap_v3_eth_2024-01-05"
TOKEN = "1:0xc02aaa39b223fe8d0a0e5c4f27ead9083c756cc2"

Terminal = Callable[..., str]


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Iterator[Terminal]:
    """Runs a command on a topic; gives its progress. Commands take over the signals for as long as they run."""
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

    def run(broker: Broker, topic: str, *arguments: str) -> str:
        for name, value in settings(broker, topic).items():
            monkeypatch.setenv(name, value)
        load_config.cache_clear()
        err = StringIO()
        call_command(*arguments, stderr=err)
        return err.getvalue()

    yield run
    monkeypatch.undo()
    load_config.cache_clear()
    for number, handler in handlers.items():
        signal.signal(number, handler)


def settings(broker: Broker, topic: str) -> dict[str, str]:
    return {"SWAPSTATS_INGEST__BROKERS": f'["{broker.bootstrap}"]', "SWAPSTATS_INGEST__TOPIC": topic}


def log_of(broker: Broker, topic: str, count: int) -> list[Message]:
    """The whole log, in the order in which it was written."""
    return sorted(read(broker, topic, count), key=lambda message: (message.timestamp()[1], message.offset()))


@pytest.mark.parametrize("key", ["token", "event", "none"])
def test_the_journal_of_generate_is_the_log(mock_broker: Broker, terminal: Terminal, tmp_path: Path, key: str) -> None:
    topic, journal = mock_broker.new_topic(), tmp_path / "sent.jsonl.gz"
    shares = ("--duplicate", "0.1", "--late", "0.05", "--invalid", "0.05", "--reorged", "0.1")
    said = terminal(mock_broker, topic, "generate", "--rate", "2000", "--duration", "0.5", "--key", key, *shares,
                    "--out", str(journal))  # fmt: skip
    sent = sorted(read_journal(journal), key=lambda each: (each.partition, each.offset))
    found = read(mock_broker, topic, len(sent))
    assert [(m.partition(), m.offset(), m.timestamp()[1], m.key(), m.value()) for m in found] == [
        (each.partition, each.offset, each.timestamp_ms, each.key, each.value) for each in sent
    ]
    assert len(sent) >= 1_000
    assert f"{len(sent)} records acknowledged" in said
    assert (key == "none") is all(each.key is None for each in sent)
    oracle = Oracle()
    oracle.records((each.value, each.timestamp_ms) for each in sent)
    assert oracle.outcomes.total() == len(sent)
    assert {"applied", "late", "duplicate", "retracted", "dead_lettered"} <= oracle.outcomes.keys()


def test_generate_ends_cleanly_on_sigterm(mock_broker: Broker, tmp_path: Path) -> None:
    topic, journal = mock_broker.new_topic(), tmp_path / "sent.jsonl"
    command = [sys.executable, "manage.py", "generate", "--rate", "200", "--out", str(journal)]
    environment = os.environ | settings(mock_broker, topic)
    with subprocess.Popen(command, cwd=PROJECT, env=environment, stderr=subprocess.PIPE, text=True) as process:
        read(mock_broker, topic, 20)
        process.terminate()
        _, said = process.communicate(timeout=WAIT_SECONDS)
    sent = list(read_journal(journal))
    assert process.returncode == 0, said
    assert f"{len(sent)} records acknowledged" in said
    assert len(read(mock_broker, topic, len(sent))) == len(sent)


@pytest.mark.parametrize("arguments", [["--rate", "0"], ["--late", "1.5"], ["--tokens", "0"], ["--key", "colour"]])
def test_generate_refuses_nonsense(mock_broker: Broker, terminal: Terminal, arguments: list[str]) -> None:
    with pytest.raises(CommandError, match=arguments[0]):
        terminal(mock_broker, "any", "generate", *arguments)


def test_a_replayed_day_has_the_day_s_totals(broker: Broker, terminal: Terminal, shared_data: Path) -> None:
    topic = broker.new_topic()
    assert "6313 records acknowledged" in terminal(broker, topic, "replay", str(shared_data / f"{DAY}.jsonl.gz"))
    expected = json.loads((shared_data / f"{DAY}.expected.json").read_text())
    now_ms = 1_704_499_199_000  # 2024-01-05T23:59:59Z; two of the swaps were recorded after that
    log = [(message.value(), message.timestamp()[1]) for message in log_of(broker, topic, 6_313)]
    oracle = Oracle()
    oracle.records((value, timestamp_ms) for value, timestamp_ms in log if timestamp_ms <= now_ms)
    assert oracle.outcomes == {"applied": 6_311}
    windows = oracle.stats(TOKEN, now_ms)["windows"]
    for name, window in expected["at"]["2024-01-05T23:59:59.000Z"].items():
        assert {field: windows[name][field] for field in window if field != "from"} == {
            field: value for field, value in window.items() if field != "from"
        }


def test_a_day_that_is_shifted_to_now_counts_now(mock_broker: Broker, terminal: Terminal, shared_data: Path) -> None:
    topic = mock_broker.new_topic()
    terminal(mock_broker, topic, "replay", str(shared_data / f"{DAY}.jsonl.gz"), "--shift-to-now")
    oracle = Oracle()
    oracle.records((message.value(), message.timestamp()[1]) for message in log_of(mock_broker, topic, 6_313))
    assert oracle.outcomes == {"applied": 6_313}
    now_ms = int(time.time() * 1000)
    newest = max(swap.time_ms for swap in oracle.counted.values())
    assert now_ms - WAIT_SECONDS * 2_000 < newest <= now_ms
    assert oracle.stats(TOKEN, now_ms)["windows"]["24h"]["trades"] > 6_000


def test_replay_keeps_the_recorded_pace(mock_broker: Broker, terminal: Terminal, tmp_path: Path) -> None:
    """Two swaps 100 s apart, a hundred times faster."""
    path = tmp_path / "two.jsonl.gz"
    swaps = [{"chain_id": 1, "token_address": "0xaa", "event_time": 1_700_000_000_000 + n * 100_000} for n in range(2)]
    with gzip.open(path, "wt") as file:
        file.writelines(json.dumps(swap) + "\n" for swap in swaps)
    topic, began = mock_broker.new_topic(), time.monotonic()
    terminal(mock_broker, topic, "replay", str(path), "--speed", "100")
    assert time.monotonic() - began >= 1
    assert [m.timestamp()[1] for m in log_of(mock_broker, topic, 2)] == [1_700_000_001_500, 1_700_000_101_500]


def test_replay_of_a_file_that_is_not_there(mock_broker: Broker, terminal: Terminal, tmp_path: Path) -> None:
    with pytest.raises(CommandError, match=r"missing\.jsonl"):
        terminal(mock_broker, "any", "replay", str(tmp_path / "missing.jsonl"))
