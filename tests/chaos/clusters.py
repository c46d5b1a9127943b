"""Several nodes of one thing: three brokers, or a Redis with its replica and sentinels."""

import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Self

from redis import Redis
from redis.exceptions import RedisError
from redis.sentinel import Sentinel

from swapstats.adapters.embedded.redis_server import RedisServer, find_binary
from swapstats.adapters.system.child_process import ChildProcess
from swapstats.adapters.system.listener import free_port
from tests.chaos.proxy import Proxy
from tests.parts.kafka import HOST, KafkaServer

SECONDS = 60
MASTER = "swaps"


class KafkaCluster:
    """Three brokers, each a voter of the controllers' quorum; any one may be lost."""

    def __init__(self, directory: Path) -> None:
        ports = {node: free_port() for node in (1, 2, 3)}
        cluster_id = str(uuid.uuid4())
        voters = ",".join(f"{node}@{HOST}:{port}" for node, port in ports.items())
        self.nodes = [_node(directory / f"kafka-{n}", n, ports[n], voters, cluster_id) for n in ports]

    @property
    def bootstrap(self) -> str:
        return ",".join(node.bootstrap for node in self.nodes)

    def __enter__(self) -> Self:
        for node in self.nodes:
            node.launch()
        for node in self.nodes:
            node.wait_until_ready()
        return self

    def __exit__(self, *_: object) -> None:
        for node in self.nodes:
            node.kill()


def _node(directory: Path, number: int, controller_port: int, voters: str, cluster_id: str) -> KafkaServer:
    port = free_port()
    settings = {
        "node.id": number,
        "listeners": f"PLAINTEXT://{HOST}:{port},CONTROLLER://{HOST}:{controller_port}",
        "advertised.listeners": f"PLAINTEXT://{HOST}:{port}",
        "controller.quorum.voters": voters,
        "offsets.topic.replication.factor": 3,
        "transaction.state.log.replication.factor": 3,
        "transaction.state.log.min.isr": 2,
        "default.replication.factor": 3,
        "min.insync.replicas": 2,
    }
    return KafkaServer(directory, settings, port=port, cluster_id=cluster_id)


class GuardedRedis:
    """A master and a replica that copies it through a proxy, so that the copy can fall behind, and three sentinels."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.master = RedisServer(directory / "redis-a")
        self.replica = RedisServer(directory / "redis-b")
        self.sentinel_ports = [free_port() for _ in range(3)]
        self._sentinels: list[ChildProcess] = []

    def __enter__(self) -> Self:
        self.master.start()
        self.replica.start()
        self.link = Proxy(self.master.port).__enter__()
        with _client(self.replica.port) as client:
            client.replicaof(HOST, self.link.port)
        self._wait_until_copied()
        self._sentinels = [self._start_sentinel(port) for port in self.sentinel_ports]
        self._wait_until_watched()
        return self

    def __exit__(self, *_: object) -> None:
        for sentinel in self._sentinels:
            sentinel.kill()
        self.link.__exit__()
        self.replica.stop()
        self.master.stop()

    @property
    def master_url(self) -> str:
        return f"redis://{HOST}:{self.master_port()}/0"

    def lose_master(self) -> None:
        """kill -9, after a time in which nothing reached the replica any more; a sentinel then promotes it."""
        self.master.kill()
        self.link.cut()

    def master_port(self) -> int:
        """Whom the sentinels name."""
        sentinel = Sentinel([(HOST, port) for port in self.sentinel_ports], socket_timeout=1)
        return int(sentinel.discover_master(MASTER)[1])

    def wait_for_failover(self) -> None:
        _wait_until(lambda: self.master_port() == self.replica.port and self._takes_writes(), "promoted a replica")

    def _takes_writes(self) -> bool:
        with _client(self.replica.port) as client:
            return bool(client.role()[0] == b"master")

    def _start_sentinel(self, port: int) -> ChildProcess:
        config = self.directory / f"sentinel-{port}.conf"
        lines = [
            f"port {port}",
            f"bind {HOST}",
            f"sentinel monitor {MASTER} {HOST} {self.master.port} 2",
            f"sentinel down-after-milliseconds {MASTER} 1000",
            f"sentinel failover-timeout {MASTER} 5000",
        ]
        config.write_text("\n".join(lines) + "\n")
        return ChildProcess("sentinel", [find_binary(), config, "--sentinel"], cwd=self.directory)

    def _wait_until_copied(self) -> None:
        def is_copied() -> bool:
            with _client(self.replica.port) as client:
                return bool(client.info("replication")["master_link_status"] == "up")

        _wait_until(is_copied, "copied its master")

    def _wait_until_watched(self) -> None:
        def knows_all(port: int) -> bool:
            with _client(port) as client:
                state = client.sentinel_master(MASTER)
                return bool(state["num-slaves"] == 1 and state["num-other-sentinels"] == 2)

        _wait_until(lambda: all(map(knows_all, self.sentinel_ports)), "known each other")


def _client(port: int) -> Redis:
    return Redis(host=HOST, port=port, socket_timeout=2)


def _wait_until(check: Callable[[], bool], expectation: str) -> None:
    deadline = time.monotonic() + SECONDS
    while not _holds(check):
        assert time.monotonic() < deadline, f"the servers have not {expectation} within {SECONDS} s"
        time.sleep(0.1)


def _holds(check: Callable[[], bool]) -> bool:
    try:
        return check()
    except (RedisError, OSError):
        return False
