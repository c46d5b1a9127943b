"""What the tests of the operators' room share."""

from collections.abc import Callable, Iterator

import pytest
from django.test import Client

from settings.config import load_config
from tests.parts.operators import client_of
from tests.parts.topics import Broker


@pytest.fixture
def configured(redis_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., None]]:
    """Points the process at a broker's topic and the test's Redis."""

    def point(broker: Broker, topic: str) -> None:
        settings = {
            "INGEST__BROKERS": f'["{broker.bootstrap}"]',
            "INGEST__TOPIC": topic,
            "INGEST__GROUP_ID": f"{topic}-readers",
            "INGEST__START": "earliest",
            "APP__SNAPSHOT_INTERVAL": "100ms",
            "STORES__REDIS__URL": redis_url,
        }
        for name, value in settings.items():
            monkeypatch.setenv(f"SWAPSTATS_{name}", value)
        load_config.cache_clear()

    yield point
    monkeypatch.undo()
    load_config.cache_clear()


@pytest.fixture
def operator(db: None) -> Client:
    return client_of("view_partition", "change_partition", "view_deadletter", "change_deadletter", "view_consumergroup")
