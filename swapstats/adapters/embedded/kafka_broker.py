"""The embedded broker in a process of its own: `python -m swapstats.adapters.embedded.kafka_broker`.

It prints `bootstrap=host:port` when it is ready and ends on SIGTERM, on Ctrl-C, or when its parent is gone. What it
holds is in memory only: a broker to develop, test and show with, never one to keep swaps in.
"""

import argparse
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Self

from swapstats.adapters.embedded.ending import Ending
from swapstats.adapters.embedded.mock_cluster import MockCluster
from swapstats.adapters.system.child_process import ChildProcess
from swapstats.adapters.system.child_server import ChildServer

READY = "bootstrap="
START_SECONDS = 30
PROJECT = Path(__file__).resolve().parents[3]


class KafkaBroker(ChildServer):
    """Starts and stops that process. `topics` maps a topic's name to its number of partitions."""

    def __init__(
        self, topics: Mapping[str, int] | None = None, *, on_line: Callable[[str], None] | None = None
    ) -> None:
        self._topics = dict(topics or {})
        self._on_line = on_line
        self.bootstrap = ""

    def start(self) -> Self:
        process = self._process = ChildProcess(
            "broker", broker_command(self._topics), cwd=PROJECT, on_line=self._on_line
        )
        process.wait_until(lambda: any(map(_is_ready, process.last_lines)), START_SECONDS, "become ready")
        self.bootstrap = next(filter(_is_ready, process.last_lines)).removeprefix(READY)
        return self


def broker_command(topics: Mapping[str, int]) -> list[str]:
    words = [f"{name}:{partitions}" for name, partitions in topics.items()]
    return [sys.executable, "-m", "swapstats.adapters.embedded.kafka_broker", "--topics", *words]


def _is_ready(line: str) -> bool:
    return line.startswith(READY)


def main(arguments: Sequence[str] | None = None) -> None:
    options = _parse(arguments)
    ending = Ending()
    with MockCluster(options.brokers) as cluster:
        cluster.set_initial_rebalance_delay(options.rebalance_delay_ms)
        for name, partitions in options.topics:
            cluster.create_topic(name, partitions)
        sys.stdout.write(f"{READY}{cluster.bootstrap}\n")
        sys.stdout.flush()
        ending.wait()


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="kafka_broker", description=__doc__)
    parser.add_argument("--topics", nargs="*", type=_topic, default=[], metavar="NAME:PARTITIONS")
    parser.add_argument("--brokers", type=int, default=1)
    parser.add_argument("--rebalance-delay-ms", type=int, default=0, help="wait for a group's first members")
    return parser.parse_args(arguments)


def _topic(word: str) -> tuple[str, int]:
    name, _, partitions = word.rpartition(":")
    if not name or not partitions.isdigit():
        raise argparse.ArgumentTypeError(f"{word!r} is not NAME:PARTITIONS")
    return name, int(partitions)


if __name__ == "__main__":
    main()
