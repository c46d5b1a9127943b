"""A real ClickHouse engine: chDB behind the native protocol, or the server that SWAPSTATS_TEST_CLICKHOUSE names."""

import importlib.util
import os
import uuid
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from clickhouse_driver import Client

from swapstats.adapters.embedded.clickhouse.process import ClickHouseServer
from tests.parts.missing import skip_or_fail

REMEDY = "pip install -r requirements-embedded.txt, or name a server in SWAPSTATS_TEST_CLICKHOUSE"


def need_engine() -> None:
    if importlib.util.find_spec("chdb") is None:
        skip_or_fail(f"no ClickHouse engine: {REMEDY}")


@pytest.fixture(scope="session")
def clickhouse_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address (`clickhouse://host:port`) of an engine that tests share. To break one, ask for `own_clickhouse`."""
    if named := os.environ.get("SWAPSTATS_TEST_CLICKHOUSE"):
        yield f"clickhouse://{urlsplit(named).netloc}"
        return
    need_engine()
    with ClickHouseServer(tmp_path_factory.mktemp("clickhouse")) as server:
        yield f"clickhouse://127.0.0.1:{server.port}"


@pytest.fixture
def clickhouse(clickhouse_server: str) -> Iterator[str]:
    """DSN of a database of this test's own, not created yet, dropped at the end."""
    database = f"t_{uuid.uuid4().hex[:12]}"
    yield f"{clickhouse_server}/{database}?compression=lz4"
    with Client.from_url(f"{clickhouse_server}/default") as client:
        client.execute(f"DROP DATABASE IF EXISTS {database} SYNC")


@pytest.fixture
def own_clickhouse(tmp_path: Path) -> Iterator[ClickHouseServer]:
    """An engine for this test alone, to stop, kill, pause and start again."""
    need_engine()
    with ClickHouseServer(tmp_path / "clickhouse") as server:
        yield server
