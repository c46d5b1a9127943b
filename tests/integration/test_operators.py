"""The operators' room in the admin: what a real worker left in Redis, seen, mended and noted."""

import asyncio
import json
import re
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from io import StringIO

import pytest
from confluent_kafka import Producer
from django.contrib.admin.models import LogEntry
from django.core.management import CommandError, call_command
from django.test import Client

from aggregator.pipeline.observer import Observer
from aggregator.pipeline.worker import Worker
from realtime.feed import ViewFeed
from realtime.view import LiveView
from settings.config import load_config
from swapstats import bootstrap
from swapstats.adapters.kafka.swap_source import KafkaSwapSource
from swapstats.ports.checkpoint_admin import HeldCheckpoint
from tests.parts.operators import client_of, text_of
from tests.parts.topics import Broker

pytestmark = [pytest.mark.redis, pytest.mark.django_db]

SWAPS = 40
WAIT_SECONDS = 60
PARTITIONS = "/admin/api/partition/"
LETTERS = "/admin/api/deadletter/"
GROUP = "/admin/api/consumergroup/"


class Quiet:
    """Nobody listens, and no record is invalid."""

    def send(self, tick: object) -> None: ...

    def put(self, letters: Sequence[object]) -> None:
        assert not letters

    def close(self) -> None: ...


def swap(number: int, now_ms: int) -> bytes:
    fields = {"chain_id": 1, "tx_hash": f"0x{number:064x}", "log_index": 0, "side": "buy", "amount_token": "2"}
    token = {"token_address": f"0x{number % 3:040x}", "amount_usd": "3", "event_time": now_ms}
    return json.dumps(fields | token).encode()


def checkpoint() -> HeldCheckpoint | None:
    with closing(bootstrap.checkpoint_admin(load_config())) as admin:
        return next((held for source in admin.sources() for held in admin.checkpoints(source)), None)


@pytest.fixture
def worker(mock_broker: Broker, configured: Callable[..., None], monkeypatch: pytest.MonkeyPatch) -> Iterator[Worker]:
    """It has read forty swaps of one partition and saved them; this process holds its live view."""
    topic = mock_broker.new_topic()
    configured(mock_broker, topic)
    producer = Producer({"bootstrap.servers": mock_broker.bootstrap})
    for number in range(SWAPS):
        producer.produce(topic, swap(number, int(time.time() * 1000)), partition=0)
    producer.flush()
    config = load_config()
    source = KafkaSwapSource(config.ingest)
    stores = lambda log: bootstrap.state_stores(config, log)  # noqa: E731
    worker = Worker(bootstrap.pipeline_settings(config), source, stores, Quiet(), Quiet(), Observer(), "worker-1")
    worker.start()
    step_until(worker, lambda: (held := checkpoint()) is not None and held.meta is not None and held.segments > 0)
    step_until(
        worker, lambda: (held := checkpoint()) is not None and held.meta is not None and held.meta.next_offset == SWAPS
    )
    view = asyncio.run(loaded())
    monkeypatch.setattr(bootstrap, "live_view", lambda: view)
    feed = ViewFeed(view, bootstrap.live_reader, bootstrap.update_receiver)
    monkeypatch.setattr(bootstrap, "view_feed", lambda: feed)
    yield worker
    worker.close()


def step_until(worker: Worker, condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + WAIT_SECONDS
    while not condition():
        assert time.monotonic() < deadline
        worker.step()


async def loaded() -> LiveView:
    view, reader = LiveView(), bootstrap.live_reader()
    source = await reader.source()
    loads = {number: await reader.load(source, number) for number in await reader.partitions(source)}
    view.replace_all(source, {number: found for number, found in loads.items() if found})
    await reader.close()
    return view


def address(client: Client) -> str:
    """Of the first partition's own page."""
    found = re.search(r'href="(/admin/api/partition/[^"]+/change/)"', text_of(client.get(PARTITIONS)))
    assert found
    return found[1]


def test_partitions_are_seen(worker: Worker, operator: Client) -> None:
    text = text_of(operator.get(PARTITIONS))
    for shown in ("worker-1", "Well", f"<td>{SWAPS}</td>", "<td>3</td>", "4 partitions."):
        assert shown in text, text
    page = text_of(operator.get(address(operator)))
    assert f"{SWAPS} of {SWAPS}; 0 records behind" in page
    assert "applied" in page
    assert "0x0000000000000000000000000000000000000002" in page
    assert "3 tokens compared; 0 windows differ" in text_of(operator.get(f"{address(operator)}?compare=1"))


def test_a_view_that_is_wrong_is_found_out(worker: Worker, operator: Client, redis_url: str) -> None:
    """Somebody changed a segment behind our back."""
    import redis

    page = address(operator)
    with redis.Redis.from_url(redis_url) as client:
        key = next(
            key
            for key in client.scan_iter("*")
            if client.type(key) == b"hash" and b"60000:" in b" ".join(client.hkeys(key))
        )
        client.hdel(key, *[field for field in client.hkeys(key) if field.startswith(b"60000:")])
    text = text_of(operator.get(f"{page}?compare=1"))
    assert "3 tokens compared; 6 windows differ" in text
    assert "24h" in text


def test_a_partition_that_nobody_saves_is_in_trouble(
    worker: Worker, operator: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    feed = bootstrap.view_feed()
    monkeypatch.setattr(feed, "_clock_offset_ms", 90_000)
    assert "Release it" in text_of(operator.get(PARTITIONS))


def test_a_release_asks_back_fences_off_and_is_noted(worker: Worker, operator: Client) -> None:
    page, before = address(operator), checkpoint()
    release = page.replace("/change/", "/release/")
    assert "Yes, release it" in text_of(operator.get(release))
    assert checkpoint() == before
    told = text_of(operator.post(release, follow=True))
    after = checkpoint()
    assert before
    assert after
    assert (after.epoch > before.epoch, after.owner, after.meta) == (True, "operator", before.meta)
    assert f"Released: epoch {before.epoch} of worker-1 ended." in told
    [entry] = LogEntry.objects.all()
    assert "Released" in entry.get_change_message()
    assert "Released" in text_of(operator.get(page.replace("/change/", "/history/")))
    assert page in text_of(operator.get("/admin/"))


@contextmanager
def stepping(worker: Worker) -> Iterator[None]:
    """As `manage.py consume` runs it, beside whoever operates."""
    ended = threading.Event()

    def run() -> None:
        while not ended.is_set():
            worker.step()

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def revision() -> int:
    held = checkpoint()
    assert held
    assert held.meta
    return held.meta.revision


def test_a_snapshot_is_taken_when_it_is_asked_for(worker: Worker, operator: Client) -> None:
    page, before = address(operator), revision()
    save = page.replace("/change/", "/save/")
    assert "Yes, take it" in text_of(operator.get(save))
    with stepping(worker):
        told = text_of(operator.post(save, follow=True))
        assert f"Snapshot taken: revision {before} → {before + 1}, offset {SWAPS}." in told
        assert f"revision {before + 1}, saved" in told
        printed = StringIO()
        call_command("snapshots", "save", "0", stdout=printed)
        assert printed.getvalue() == f"partition 0: revision {before + 2} saved, offset {SWAPS}\n"
    assert revision() == before + 2
    [entry] = LogEntry.objects.all()
    assert "Snapshot taken" in entry.get_change_message()


def test_a_snapshot_that_nobody_takes_is_asked_for_all_the_same(
    worker: Worker, operator: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("aggregator.snapshot.save_now.WAIT_S", 0.1)
    before, save = revision(), address(operator).replace("/change/", "/save/")
    told = text_of(operator.post(save, follow=True))
    assert "no worker has taken it" in told
    assert "another asked for at" in told
    with pytest.raises(CommandError, match="no worker has taken it"):
        call_command("snapshots", "save", "0")
    step_until(worker, lambda: revision() > before)
    assert "another asked for" not in text_of(operator.get(address(operator)))
    for _ in range(20):
        worker.step()
    assert revision() == before + 1


def test_a_reset_replays_to_the_same_numbers(worker: Worker, operator: Client) -> None:
    reset = address(operator).replace("/change/", "/reset/")
    assert "datetime-local" in text_of(operator.get(reset))
    assert "Enter a valid date/time" in text_of(operator.post(reset, {"from_time": "yesterday"}))
    before = checkpoint()
    told = text_of(operator.post(reset, {"from_time": "2026-01-01T00:00:00"}, follow=True))
    assert "Reset: replayed from 2026-01-01T00:00:00Z, offset 0." in told
    held = checkpoint()
    assert held
    assert held.meta
    assert (held.meta.next_offset, held.segments) == (0, 0)
    worker._monotonic = lambda: time.monotonic() + 3_600  # type: ignore[method-assign]
    step_until(
        worker, lambda: (now := checkpoint()) is not None and now.meta is not None and now.meta.next_offset == SWAPS
    )
    after = checkpoint()
    assert before
    assert after
    assert (after.meta and after.meta.outcomes) == (before.meta and before.meta.outcomes)


def test_who_may_only_look_changes_nothing(worker: Worker, operator: Client) -> None:
    page, before = address(operator), checkpoint()
    viewer, nobody = client_of("view_partition"), client_of()
    text = text_of(viewer.get(page))
    assert "/release/" not in text
    for action in ("save", "release", "reset"):
        for client in (viewer, nobody):
            assert client.post(page.replace("/change/", f"/{action}/")).status_code == 403
    assert checkpoint() == before
    for path in (PARTITIONS, page, LETTERS, GROUP):
        assert nobody.get(path).status_code == 403
        assert Client().get(path).status_code == 302
    for path in (f"{PARTITIONS}add/", page.replace("/change/", "/delete/")):
        assert operator.get(path).status_code == 403
    assert LogEntry.objects.count() == 0


@pytest.mark.parametrize("key", ["nothing", "a/b", "cluster:topic/0", "x/99999999999999999999", "_", "../../etc"])
def test_a_partition_that_is_not_there(worker: Worker, operator: Client, key: str) -> None:
    assert operator.get(f"{PARTITIONS}{key}/change/").status_code == 404
    assert operator.post(f"{PARTITIONS}{key}/release/").status_code == 404


def test_what_is_away_is_said(
    operator: Client, configured: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    configured(Broker("127.0.0.1:1", is_mock=True), "swaps")
    monkeypatch.setenv("SWAPSTATS_STORES__REDIS__URL", "redis://127.0.0.1:1/0")
    monkeypatch.setattr("swapstats.adapters.kafka.swap_source.REQUEST_SECONDS", 0.2)
    load_config.cache_clear()
    assert "Redis: " in text_of(operator.get(PARTITIONS), 503)


# The consumer group


def test_the_embedded_broker_tells_nothing_of_a_group(
    mock_broker: Broker, configured: Callable[..., None], operator: Client
) -> None:
    configured(mock_broker, mock_broker.new_topic())
    assert "does not tell how a group stands" in text_of(operator.get(GROUP), 503)


@pytest.mark.kafka
def test_the_group_is_seen(kafka: Broker, configured: Callable[..., None], operator: Client) -> None:
    topic = kafka.new_topic(partitions=2)
    configured(kafka, topic)
    assert "nothing is read" in text_of(operator.get(GROUP))
    config = load_config()
    stores = lambda log: bootstrap.state_stores(config, log)  # noqa: E731
    source = KafkaSwapSource(config.ingest)
    worker = Worker(bootstrap.pipeline_settings(config), source, stores, Quiet(), Quiet(), Observer(), "worker-1")
    worker.start()
    step_until(worker, lambda: "<td>0, 1</td>" in operator.get(GROUP).content.decode())
    assert "The group is stable and has 1 member." in text_of(operator.get(GROUP))
    worker.close()
