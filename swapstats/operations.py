"""What makes a process one that can be operated: its metrics, its profiler, its alerts, and what it watches.

Put together here as `bootstrap` puts together what the process is for.
"""

import atexit
import logging
import os
import threading

from prometheus_client import start_http_server

from settings.config import Config
from settings.logs import secret_values
from swapstats.adapters.clickhouse.watch import ClickHouseWatch
from swapstats.adapters.redis.clients import sync_client
from swapstats.adapters.redis.watch import RedisWatch
from swapstats.adapters.system.telegram import TelegramChannel
from swapstats.adapters.system.watch import watch
from swapstats.alerting.alerter import Alerter
from swapstats.alerting.gate import Gate
from swapstats.alerting.log_handler import AlertHandler
from swapstats.bootstrap import clickhouse, client_registry, refusal_log, refusals
from swapstats.domain.errors import PartError
from swapstats.logs.secrets import Redactor
from swapstats.ports.alert_channel import AlertChannel
from swapstats.profiling import server as profiler

log = logging.getLogger(__name__)

DISKS_EVERY_S = 60.0
CLIENTS_EVERY_S = 2.0
"""How soon a revoked token is refused, and how soon limits of a client's own count, by all web processes."""
REFUSALS_EVERY_S = 2.0

_begun: set[int] = set()
_beginning = threading.Lock()


def operate_worker(config: Config) -> None:
    """For `manage.py consume`. Raises PartError where the metrics' address is taken."""
    _serve_metrics(config)
    _begin(config, "consume")
    watch("redis", RedisWatch(sync_client(config.stores.redis), config.stores.redis.prefix))


def operate_archiver(config: Config) -> None:
    """For `manage.py archive`. Raises PartError where the metrics' address is taken."""
    _serve_metrics(config)
    _begin(config, "archive")
    watch("clickhouse", ClickHouseWatch(lambda: clickhouse(config)), DISKS_EVERY_S)


def operate_web(config: Config) -> None:
    """For a web process, which shows its metrics itself; once per process, after a fork too."""
    with _beginning:
        if os.getpid() not in _begun:
            _begun.add(os.getpid())
            _begin(config, "web")
            watch("clients", client_registry().refresh, CLIENTS_EVERY_S)
            watch("refusals", lambda: refusals().tell(refusal_log()), REFUSALS_EVERY_S)


def alert_channel(config: Config) -> AlertChannel | None:
    """Where alerts go; None where the configuration names nothing."""
    telegram = config.alerts.telegram
    if not (telegram.bot_token and telegram.chat_id):
        return None
    return TelegramChannel(telegram.api_base, telegram.bot_token.get_secret_value(), telegram.chat_id)


def _begin(config: Config, process: str) -> None:
    if config.metrics.pprof:
        profiler.serve(*config.metrics.pprof)
    channel = alert_channel(config)
    if channel:
        _alert_of_errors(config, channel, process)


def _alert_of_errors(config: Config, channel: AlertChannel, process: str) -> None:
    """From now on errors in the log are alerts; those that wait at the end get a few seconds."""
    alerter = Alerter(channel, Gate(config.alerts.repeat_after_ms / 1000, config.alerts.per_minute))
    clean = Redactor(secret_values(config)).text
    logging.getLogger().addHandler(AlertHandler(alerter, clean, process))
    atexit.register(alerter.close)


def _serve_metrics(config: Config) -> None:
    address = config.metrics.prometheus
    if not address:
        return
    try:
        start_http_server(address.port, address.host)
    except OSError as error:
        raise PartError(f"metrics.prometheus: cannot listen on {address}: {error.strerror}") from error
    log.info("metrics on http://%s/metrics", address)
