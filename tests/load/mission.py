"""The loads that were asked for, one after the other, with everything real: `make load`.

A feed of 1,000 and of 3,000 swaps a second; 1,000 HTTP requests a second and a burst of 5,000, while the feed goes on;
one of two workers killed; 1,000 WebSocket clients with five topics each. In the end every total and every outcome is
compared with what the independent model makes of the feeds' own journals. `--minutes 10` is the long form.

Ends with 1 where something was lost, wrong, or slower than this machine's last entry in docs/performance-trend.csv.
"""

import multiprocessing
import sys
import tempfile
from argparse import ArgumentParser, Namespace, RawDescriptionHelpFormatter
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import TypeVar

from tests.load.http_rate import Shots, shoot
from tests.load.loads import Deployment
from tests.load.report import percentile, publish
from tests.load.system import running_system
from tests.load.trend import Figure, follow
from tests.load.wsload import Load, Report
from tests.load.wsload import run as run_sockets

PARTITIONS = 4
FEED, HTTP, SOCKETS, KILLED = "feeds at a rate", "HTTP at a rate", "WebSocket clients", "a worker killed"
FAULTS = (
    "requests that failed",
    "gaps seen by clients",
    "clients lost",
    "swaps lost",
    "swaps counted twice",
    "wrong totals or outcomes",
)
Result = TypeVar("Result")


def main() -> None:
    options = _options()
    tables = {SOCKETS: _sockets(options)} | _deployment(options)
    figures = [figure for table in tables.values() for figure in table]
    for section, table in tables.items():
        _tell(section, table, options.look)
    slower = [] if options.look else follow(figures)
    wrong = [figure for figure in figures if figure.name.endswith(FAULTS) and figure.value]
    for line in [
        *(f"WRONG   {figure.name}: {figure.value:g}" for figure in wrong),
        *(f"SLOWER  {it}" for it in slower),
    ]:
        print(line)
    sys.exit(bool(wrong or slower))


def _tell(section: str, table: list[Figure], only_look: bool) -> None:
    if only_look:
        print(f"\n{section}", *(f"  {name}: {value}" for name, value in (figure.row for figure in table)), sep="\n")
    else:
        publish(section, [figure.row for figure in table])


def _options() -> Namespace:
    parser = ArgumentParser(description=__doc__, formatter_class=RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=1, help="of each feed (default: 1)")
    parser.add_argument("--rates", type=int, nargs="+", default=[1_000, 3_000], help="swaps a second of the feeds")
    parser.add_argument("--tokens", type=int, default=500, help="tokens in the feeds (default: 500)")
    parser.add_argument("--requests", type=int, default=1_000, help="HTTP requests a second (default: 1000)")
    parser.add_argument("--burst", type=int, default=5_000, help="those of the burst (default: 5000)")
    parser.add_argument("--http-seconds", type=float, default=30, help="of the sustained requests (default: 30)")
    parser.add_argument("--burst-seconds", type=float, default=3, help="of the burst (default: 3)")
    parser.add_argument("--kill-seconds", type=float, default=24, help="of the feed with a killed worker (default: 24)")
    parser.add_argument("--clients", type=int, default=1_000, help="WebSocket clients (default: 1000)")
    parser.add_argument("--topics", type=int, default=5, help="topics of each (default: 5)")
    parser.add_argument("--ws-seconds", type=float, default=15, help="for how long they are measured (default: 15)")
    parser.add_argument("--look", action="store_true", help="only print; write neither the page nor the trend")
    return parser.parse_args()


def _deployment(options: Namespace) -> dict[str, list[Figure]]:
    with tempfile.TemporaryDirectory() as directory, running_system(Path(directory), PARTITIONS) as system:
        return _loaded(Deployment(system, Path(directory), PARTITIONS, options.tokens), options)


def _loaded(deployment: Deployment, options: Namespace) -> dict[str, list[Figure]]:
    steady = options.rates[0]
    fed = [figure for rate in options.rates for figure in deployment.feed(rate, options.minutes * 60)]
    with deployment.rest_workers() as url, deployment.fed(steady):
        asked = _shots(url, "sustained", options.requests, options.http_seconds)
        asked += _shots(url, "burst", options.burst, options.burst_seconds)
    killed = deployment.kill_one(steady, options.kill_seconds) + deployment.judge()
    deployment.stop()
    return {FEED: fed, HTTP: asked, KILLED: killed}


def _shots(url: str, kind: str, rate: int, seconds: float) -> list[Figure]:
    shots: Shots = _in_a_process(shoot, url, rate, seconds)
    at, times = f"{kind}, {rate:,} requests/s for {seconds:g} s", shots.latencies_ms
    return [
        Figure(f"{at}: answers a second", shots.per_second, "", "higher"),
        Figure(f"{at}: p50", percentile(times, 0.5), "ms", "lower"),
        Figure(f"{at}: p90", percentile(times, 0.9), "ms"),
        Figure(f"{at}: p99", percentile(times, 0.99), "ms", "lower"),
        Figure(f"{at}: p99.9", percentile(times, 0.999), "ms"),
        Figure(f"{at}: requests that failed", shots.failed),
    ]


def _sockets(options: Namespace) -> list[Figure]:
    load = Load(options.clients, options.topics, options.tokens, options.ws_seconds, connect_in=5)
    report: Report = _in_a_process(run_sockets, load)
    at = f"{load.clients:,} clients × {load.subscriptions}"
    return [
        Figure(f"{at}: frames a second", report.frames, "", "higher"),
        Figure(f"{at}: patches a second", report.patches),
        Figure(f"{at}: tick to frame, p50", report.from_tick[0], "ms", "lower"),
        Figure(f"{at}: tick to frame, p99", report.from_tick[1], "ms", "lower"),
        Figure(f"{at}: CPU of the web process", 100 * report.server_cpu, "% of a core", "lower"),
        Figure(f"{at}: memory of the web process", report.memory_after, "MB"),
        Figure(f"{at}: gaps seen by clients", report.gaps),
        Figure(f"{at}: clients lost", report.lost),
    ]


def _in_a_process(work: Callable[..., Result], *values: object) -> Result:
    """Clients have a core of their own where there is one."""
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        return pool.submit(work, *values).result()


if __name__ == "__main__":
    main()
