"""What the contract suites share."""

from collections.abc import Iterator
from contextlib import suppress

import pytest

from swapstats.domain.errors import SourceError
from tests.contracts.ledgers import Worker
from tests.contracts.members import Log
from tests.parts.topics import Broker


@pytest.fixture
def swap_log(broker: Broker) -> Iterator[Log]:
    log = Log(broker)
    yield log
    for member in log.members:
        with suppress(SourceError):
            member.close()


@pytest.fixture
def worker(redis_url: str) -> Iterator[Worker]:
    worker = Worker(redis_url).take(0, 1)
    yield worker
    worker.session.close()
