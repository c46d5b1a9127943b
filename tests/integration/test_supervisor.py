"""The supervisor with processes of every temper, and which parts a configuration calls for."""

import io
import sys

import pytest

from settings.config import Config
from settings.config.values import Address
from swapstats.adapters.system.child_process import ChildProcess
from swapstats.adapters.system.listener import listen
from swapstats.domain.errors import PartError
from swapstats.supervisor.commands import Web
from swapstats.supervisor.output import Output
from swapstats.supervisor.part import Environment, OnLine, Part
from swapstats.supervisor.plan import Wishes, make_plan
from swapstats.supervisor.supervisor import Supervisor


class Script(Part):
    """Runs a line of Python; passes `<NAME>=started` on to those after it."""

    def __init__(self, name: str, code: str = "import time; time.sleep(600)", ready: bool = True) -> None:
        self.name = name
        self._code = code
        self._ready = ready
        self.ready_seconds = 0.5

    def start(self, environment: Environment, on_line: OnLine) -> ChildProcess:
        command = [sys.executable, "-u", "-c", self._code]
        self.child = ChildProcess(self.name, command, env=environment, on_line=on_line)
        environment[self.name.upper()] = "started"
        return self.child

    def is_ready(self) -> bool:
        return self._ready

    def missing(self) -> str:
        return "its heart is not in it"


def supervise(*parts: Part) -> tuple[Supervisor, io.StringIO]:
    screen = io.StringIO()
    return Supervisor(parts, Output(screen, [part.name for part in parts])), screen


def run(supervisor: Supervisor) -> None:
    supervisor.start({})
    supervisor.watch()


def test_starts_in_order_and_stops_in_the_opposite_one():
    parts = [Script("redis"), Script("consume"), Script("web")]
    supervisor, screen = supervise(*parts)
    supervisor.start({})
    assert all(part.child.is_running for part in parts)
    supervisor.stop()
    assert not any(part.child.is_running for part in parts)
    words = [f"starting {part.name}" for part in parts] + [f"stopping {part.name}" for part in reversed(parts)]
    assert [line for line in screen.getvalue().splitlines() if line] == words


def test_hands_on_what_earlier_parts_have_added():
    asks = Script("consume", "import os, time; print('redis', os.environ['REDIS']); time.sleep(600)")
    supervisor, screen = supervise(Script("redis"), asks)
    supervisor.start({})
    asks.child.wait_until(lambda: "consume | redis started" in screen.getvalue(), 20, "speak")
    supervisor.stop()


@pytest.mark.parametrize("ready", [True, False], ids=["while it runs", "before all are ready"])
def test_tells_which_part_died_and_its_last_words(ready):
    dies = Script("consume", "print('no such topic'); raise SystemExit(3)")
    supervisor, _ = supervise(dies, Script("web", ready=ready))
    with pytest.raises(PartError, match="consume ended with exit code 3; its last lines:\n    no such topic"):
        run(supervisor)
    supervisor.stop()


def test_tells_what_a_part_lacks_that_does_not_become_ready():
    supervisor, _ = supervise(Script("web", ready=False))
    with pytest.raises(PartError, match=r"web did not become ready within 0\.5 s; its heart is not in it"):
        supervisor.start({})
    supervisor.stop()


def test_starts_nothing_when_a_port_is_taken():
    with listen("127.0.0.1", 0, key="a free port") as taken:
        web = Web(Address(*taken.getsockname()))
        supervisor, screen = supervise(Script("redis"), web)
        with pytest.raises(PartError, match=r"cannot listen on .*: another program is listening there; .*--port"):
            supervisor.start({})
    assert screen.getvalue() == ""


class ClosedScreen(io.StringIO):
    def write(self, text: str) -> int:
        raise BrokenPipeError


def test_ends_when_nobody_reads_its_output():
    parts = [Script("redis")]
    supervisor = Supervisor(parts, Output(ClosedScreen(), ["redis"]))
    supervisor.start({})
    supervisor.watch()
    supervisor.stop()
    assert not parts[0].child.is_running


class TestPlan:
    def names(self, config: Config, **wishes: object) -> list[str]:
        return [part.name for part in make_plan(config, Wishes(**wishes)).parts]

    def test_embeds_what_the_configuration_does_not_name(self):
        assert self.names(Config()) == [
            *("broker", "redis", "clickhouse"),
            *("consume", "archive", "web", "feed"),
        ]

    def test_uses_what_it_names(self):
        config = Config(
            ingest={"brokers": ["k1:9092"]},
            stores={"redis": {"url": "redis://state:6379/2"}, "clickhouse": {"dsn": "clickhouse://archive:9000/swaps"}},
            pubsub={"channel_layer": {"url": "redis://state:6379/3"}},
        )
        assert self.names(config) == ["consume", "archive", "web"]

    def test_embeds_redis_for_the_address_that_is_missing(self):
        assert "redis" in self.names(Config(stores={"redis": {"url": "redis://state:6379/2"}}))

    def test_does_without_an_archive_when_told(self):
        assert not {"clickhouse", "archive"} & set(self.names(Config(), archive=False))

    def test_makes_up_swaps_for_a_named_broker_only_when_told(self):
        named = Config(ingest={"brokers": ["k1:9092"]})
        assert "feed" not in self.names(named)
        assert "feed" in self.names(named, feed=True)
        assert "feed" not in self.names(Config(), feed=False)

    def test_stays_on_loopback_unless_told(self):
        assert make_plan(Config(), Wishes(port=8000)).web == ("127.0.0.1", 8000)
        assert make_plan(Config(api={"http": {"addr": ":8081"}}), Wishes()).web == ("0.0.0.0", 8081)

    def test_asks_for_no_tokens_unless_told(self):
        variable = "SWAPSTATS_SECURITY__JWT__ENABLED"
        assert make_plan(Config(), Wishes()).environment[variable] == "false"
        assert variable not in make_plan(Config(security={"jwt": {"enabled": True}}), Wishes()).environment
