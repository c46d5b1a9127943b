"""The whole system on one machine."""

import argparse
import math
import os
import signal
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError, CommandParser

from settings.config import Config, load_config
from settings.config.load import PREFIX
from swapstats.domain.errors import PartError
from swapstats.supervisor.output import Output
from swapstats.supervisor.plan import Plan, Wishes, is_named, make_plan
from swapstats.supervisor.supervisor import Supervisor

STOPPING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
ONE_CTRL_C_SECONDS = 1


class Command(BaseCommand):
    help = """Runs everything on this machine until Ctrl-C: broker, Redis, ClickHouse, consumer, archiver, web
    server and a feed of swaps.

    What the configuration names is used as it is (ingest.brokers, stores.redis.url, pubsub.channel_layer.url,
    stores.clickhouse.dsn); what it does not name is embedded, on loopback, with its files in embedded.data_dir.
    When one part ends, all are stopped, and its last lines are shown.
    """

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--port", type=int, help="where the web server listens (default: that of api.http.addr)")
        parser.add_argument("--rate", type=float, default=Wishes.rate, help="swaps a second of the feed (%(default)g)")
        parser.add_argument("--tokens", type=int, default=Wishes.tokens, help="tokens in the feed (%(default)d)")
        parser.add_argument(
            "--feed",
            action=argparse.BooleanOptionalAction,
            help="make up swaps (default: only for the embedded broker)",
        )
        parser.add_argument(
            "--archive", action=argparse.BooleanOptionalAction, default=True, help="keep all swaps in ClickHouse, too"
        )

    def handle(self, *_: Any, **options: Any) -> None:
        config = load_config()
        wishes = Wishes(**{name: options[name] for name in ("port", "feed", "archive", "rate", "tokens")})
        plan = make_plan(config, wishes)
        output = Output(sys.stdout, [part.name for part in plan.parts])
        try:
            with _signals_interrupt():
                self._run(config, plan, output)
        except PartError as error:
            raise CommandError(str(error)) from error

    def _run(self, config: Config, plan: Plan, output: Output) -> None:
        supervisor = Supervisor(plan.parts, output)
        try:
            _prepare(config)
            supervisor.start(plan.environment)
            with _told_to_others(config.embedded.data_dir / "up.env", plan.environment) as told:
                output.say(_welcome(config, plan, told))
                supervisor.watch()
        except KeyboardInterrupt:
            output.say("stopping")
        finally:
            supervisor.stop()
        output.say("all parts have been stopped")


def _prepare(config: Config) -> None:
    config.embedded.data_dir.mkdir(parents=True, exist_ok=True)
    call_command("migrate", interactive=False, verbosity=0)


class _Interruption:
    """Interrupts, but not at once again: some send one Ctrl-C twice, to us and to our process group."""

    def __init__(self) -> None:
        self._latest = -math.inf

    def __call__(self, *_: object) -> None:
        if time.monotonic() - self._latest > ONE_CTRL_C_SECONDS:
            self._latest = time.monotonic()
            raise KeyboardInterrupt


@contextmanager
def _signals_interrupt() -> Iterator[None]:
    """Every way to end us is a Ctrl-C meanwhile."""
    interruption = _Interruption()
    former = {number: signal.signal(number, interruption) for number in STOPPING}
    try:
        yield
    finally:
        for number, handler in former.items():
            signal.signal(number, handler)


@contextmanager
def _told_to_others(path: Path, environment: Mapping[str, str]) -> Iterator[Path]:
    """A file with what other commands need in their environment to work on this system, for as long as it is up."""
    ours = {name: value for name, value in environment.items() if name.startswith(PREFIX)}
    path.write_text("".join(f"{name}={value}\n" for name, value in ours.items() if os.environ.get(name) != value))
    try:
        yield path
    finally:
        path.unlink(missing_ok=True)


def _welcome(config: Config, plan: Plan, told: Path) -> str:
    authority = str(plan.web).replace("0.0.0.0", "127.0.0.1")  # noqa: S104 - no address to connect to
    lines = [
        f"dashboard   http://{authority}/",
        f"API         curl 'http://{authority}/api/overview?windows=5m&limit=5'",
        f'WebSocket   .venv/bin/websockets ws://{authority}/ws   and then   {{"subscribe": "overview:5m"}}',
    ]
    if plan.metrics:
        lines.append(f"metrics     http://{plan.metrics}/metrics")
    if is_named(config, "security.jwt.enabled") and config.security.jwt.enabled:
        lines.append("token       manage.py mint_token --help")
    where = told.relative_to(Path.cwd()) if told.is_relative_to(Path.cwd()) else told
    lines.append(f"more        env $(cat {where}) .venv/bin/python manage.py doctor   (or generate, snapshots, dlq …)")
    return "\n".join(["", "swapstats is up; Ctrl-C stops it", *(f"  {line}" for line in lines), ""])
