"""The one place that names concrete adapters; each function makes what a room needs from the configuration."""

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TypeVar

from channels.layers import get_channel_layer
from django.conf import settings
from redis import Redis

from aggregator.archive.archiver import Archiver, ArchiveSettings
from aggregator.archive.rebuild import Rebuild
from aggregator.pipeline.decode import Decoder
from aggregator.pipeline.observer import Observer
from aggregator.pipeline.parts import PipelineSettings, StateStores
from aggregator.pipeline.worker import Worker
from api.client_address import rate_key, scope_address
from realtime.admission import Admission
from realtime.allowance import SharedAllowance
from realtime.feed import ViewFeed, run_in_thread
from realtime.ranking import Ranking
from realtime.service import Service
from realtime.view import LiveView
from settings.config import Config, load_config
from swapstats.adapters.clickhouse.connection import Connection, database_of
from swapstats.adapters.clickhouse.history import ClickHouseHistory
from swapstats.adapters.clickhouse.pool import Pool
from swapstats.adapters.clickhouse.replay import ClickHouseReplay
from swapstats.adapters.clickhouse.schema import Deployment, Schema
from swapstats.adapters.clickhouse.swap_archive import CLUSTER_SETTINGS, ClickHouseArchive
from swapstats.adapters.database.client_registry import DatabaseClientRegistry
from swapstats.adapters.jwt.keys import KeySet, KeySource, PublicKeyFile, SharedSecret
from swapstats.adapters.jwt.verifier import JwtVerifier
from swapstats.adapters.kafka.consumer_group import KafkaConsumerGroup
from swapstats.adapters.kafka.dead_letter_reader import KafkaDeadLetterReader
from swapstats.adapters.kafka.dead_letters import KafkaDeadLetters
from swapstats.adapters.kafka.swap_sink import KafkaSwapSink
from swapstats.adapters.kafka.swap_source import KafkaSwapSource
from swapstats.adapters.kafka.topic_admin import TopicAdmin
from swapstats.adapters.redis.checkpoint_admin import RedisCheckpointAdmin
from swapstats.adapters.redis.checkpoint_store import RedisCheckpointStore
from swapstats.adapters.redis.clients import async_client, sync_client
from swapstats.adapters.redis.clock import RedisClock
from swapstats.adapters.redis.incarnation import RedisIncarnation
from swapstats.adapters.redis.ledger import RedisLedger
from swapstats.adapters.redis.live_store import RedisLiveReader, RedisLiveWriter
from swapstats.adapters.redis.login_attempts import CachedLoginAttempts
from swapstats.adapters.redis.order_store import RedisOrderStore
from swapstats.adapters.redis.rate_limiter import RedisRateLimiter
from swapstats.adapters.redis.refusal_log import RedisRefusalLog
from swapstats.adapters.redis.session import RedisSession
from swapstats.adapters.redis.ticket_store import RedisTicketStore
from swapstats.adapters.redis.update_feed import ChannelLayerReceiver, ChannelLayerSender
from swapstats.adapters.system.rate_limiter import LocalRateLimiter
from swapstats.domain.window import Window
from swapstats.ports.checkpoint_admin import CheckpointAdmin
from swapstats.ports.consumer_group import ConsumerGroup
from swapstats.ports.dead_letters import DeadLetterReader
from swapstats.ports.live_store import LiveReader
from swapstats.ports.login_attempts import LoginAttempts
from swapstats.ports.order_store import OrderStore
from swapstats.ports.rate_limiter import BucketSize, RateLimiter
from swapstats.ports.refusal_log import RefusalLog
from swapstats.ports.swap_archive import ArchiveReader, ArchiveReplay, ArchiveSchema
from swapstats.ports.swap_sink import OnSent, SwapSink
from swapstats.ports.swap_source import SourceIdentity, SwapSource
from swapstats.ports.ticket_store import TicketStore
from swapstats.ports.token_verifier import TokenVerifier
from swapstats.ports.update_feed import UpdateReceiver, UpdateSender
from swapstats.refusals import Refusals

CHECKPOINTS_OUTLIVE_WINDOWS_MS = 3_600_000

HISTORY_CONNECTIONS = 8
HISTORY_WAIT_S = 2.0

T = TypeVar("T")


def live_reader() -> LiveReader:
    store = load_config().stores.redis
    return RedisLiveReader(async_client(store), store.prefix)


def update_sender() -> UpdateSender:
    return ChannelLayerSender(get_channel_layer())


def update_receiver() -> UpdateReceiver:
    return ChannelLayerReceiver(get_channel_layer())


def _once_per_process(make: Callable[[], T]) -> Callable[[], T]:
    """Makes it when it is first asked for; threads do not survive a fork, so a child makes its own."""
    made: dict[int, T] = {}
    lock = threading.RLock()

    def get() -> T:
        found = made.get(os.getpid())
        if found is None:
            with lock:
                found = made.get(os.getpid()) or made.setdefault(os.getpid(), make())
        return found

    return get


@_once_per_process
def view_feed() -> ViewFeed:
    """The feed of this process's live view, running."""
    feed = ViewFeed(LiveView(), live_reader, update_receiver)
    run_in_thread(feed)
    return feed


def live_view() -> LiveView:
    return view_feed().view


@_once_per_process
def token_ranking() -> Ranking:
    return Ranking(live_view())


@_once_per_process
def websocket_service() -> Service:
    """This process's WebSocket clients; called in the thread of the event loop that serves them."""
    config, feed = load_config(), view_feed()
    accepts = client_registry().accepts
    admission = Admission(token_verifier, ticket_store, accepts) if config.security.jwt.enabled else None
    size = BucketSize(config.rate_limit.websocket.refill_per_sec, config.rate_limit.websocket.burst)
    trusted = config.rate_limit.trusted_proxies
    allowance = SharedAllowance(rate_limiter, size, lambda scope: rate_key(scope_address(scope, trusted)))
    windows = list(config.app.windows)
    note = refusals().note
    return Service(feed.view, token_ranking(), windows, config.api.ws, feed.now_ms, admission, allowance, note)


@_once_per_process
def token_verifier() -> TokenVerifier:
    jwt = load_config().security.jwt
    keys: KeySource
    if jwt.alg == "HS256":
        keys = SharedSecret(settings.SIMPLE_JWT["SIGNING_KEY"])
    elif jwt.jwks_url:
        keys = KeySet(jwt.jwks_url)
    else:
        keys = PublicKeyFile(Path(jwt.public_key_file or ""))
    return JwtVerifier(jwt.alg, keys, jwt.audience, jwt.issuer, accepts=client_registry().accepts)


@_once_per_process
def client_registry() -> DatabaseClientRegistry:
    """Kept up to date by `swapstats.operations`."""
    return DatabaseClientRegistry()


@_once_per_process
def rate_limiter() -> RateLimiter:
    store = load_config().stores.redis
    return RedisRateLimiter(_impatient_client(), store.prefix, LocalRateLimiter())


def login_attempts() -> LoginAttempts:
    return CachedLoginAttempts()


@_once_per_process
def ticket_store() -> TicketStore:
    return RedisTicketStore(_impatient_client(), load_config().stores.redis.prefix)


@_once_per_process
def refusals() -> Refusals:
    """Told to the log by `swapstats.operations`."""
    return Refusals()


@_once_per_process
def refusal_log() -> RefusalLog:
    return RedisRefusalLog(_impatient_client(), load_config().stores.redis.prefix)


@_once_per_process
def order_store() -> OrderStore:
    return RedisOrderStore(_impatient_client(), load_config().stores.redis.prefix)


@_once_per_process
def _impatient_client() -> "Redis":
    """For what a request waits for."""
    return sync_client(load_config().stores.redis, socket_timeout=0.25, socket_connect_timeout=0.25)


def worker(config: Config, name: str) -> Worker:
    """A worker that is ready to run."""
    return Worker(
        pipeline_settings(config),
        KafkaSwapSource(config.ingest),
        lambda source: state_stores(config, source),
        KafkaDeadLetters(config.ingest),
        update_sender(),
        Observer(),
        name,
    )


def archiver(config: Config) -> Archiver:
    """An archiver that is ready to run, in a consumer group of its own."""
    app, ingest, store = config.app, config.ingest, config.stores.clickhouse
    return Archiver(
        KafkaSwapSource(ingest.model_copy(update={"group_id": f"{ingest.group_id}-archive"})),
        lambda: ClickHouseArchive(clickhouse(config)),
        Decoder(int(ingest.max_bytes), app.max_skew_ms).decode,
        ArchiveSettings(app.grace_ms, store.batch_rows, store.batch_interval_ms),
    )


def archive_schema(config: Config) -> ArchiveSchema:
    store = config.stores.clickhouse
    deployment = Deployment(store.cluster, store.storage_policy, store.hot_days, store.delete_days)
    return Schema(lambda database: clickhouse(config, database), database_of(store.dsn), deployment)


@_once_per_process
def archive_history() -> ArchiveReader:
    return ClickHouseHistory(Pool(lambda: clickhouse(load_config()), HISTORY_CONNECTIONS, HISTORY_WAIT_S))


def clickhouse(config: Config, database: str | None = None) -> Connection:
    """A connection to the configured database, or to another one of that server."""
    store = config.stores.clickhouse
    password = store.password.get_secret_value() if store.password else None
    settings = CLUSTER_SETTINGS if store.cluster else {}
    return Connection(store.dsn, password=password, settings=settings, database=database)


def swap_sink(config: Config, on_sent: OnSent) -> SwapSink:
    """Where feeds write to."""
    return KafkaSwapSink(config.ingest, on_sent)


def dead_letter_reader(config: Config) -> DeadLetterReader:
    return KafkaDeadLetterReader(config.ingest)


def consumer_group(config: Config) -> ConsumerGroup:
    return KafkaConsumerGroup(config.ingest)


def topic_admin(config: Config) -> TopicAdmin:
    """Creates and changes the topics."""
    return TopicAdmin(config.ingest)


def windows(config: Config) -> tuple[Window, ...]:
    """The configured windows, in their order."""
    return tuple(Window(name, window.length_ms, window.bucket_ms) for name, window in config.app.windows.items())


def pipeline_settings(config: Config) -> PipelineSettings:
    app, ingest = config.app, config.ingest
    return PipelineSettings(
        windows=windows(config),
        grace_ms=app.grace_ms,
        max_skew_ms=app.max_skew_ms,
        late_policy=app.late_policy,
        snapshot_interval_ms=app.snapshot_interval_ms,
        coalesce_ms=config.api.ws.coalesce_ms,
        start=ingest.start,
        max_bytes=int(ingest.max_bytes),
        max_invalid_share=ingest.max_invalid_share,
        invalid_sample=ingest.invalid_sample,
        batch_max=ingest.batch_max,
    )


def state_stores(config: Config, log: SourceIdentity) -> StateStores:
    """A worker's stores of the log that its broker names so, all on one connection. Raises StoreUnavailable."""
    redis, settings = config.stores.redis, pipeline_settings(config)
    session = RedisSession.open(redis)
    incarnation = RedisIncarnation(session, redis.prefix, log)
    source = incarnation.source
    return StateStores(
        source,
        incarnation.set_aside,
        RedisLedger(session, redis.prefix, source, ledger_retention_ms(config), counts_late=settings.counts_late),
        RedisCheckpointStore(session, redis.prefix, source, settings.reach_ms + CHECKPOINTS_OUTLIVE_WINDOWS_MS),
        RedisLiveWriter(session, redis.prefix, source),
        RedisClock(session),
        session.close,
    )


def ledger_retention_ms(config: Config) -> int:
    """How long a decision is kept at least."""
    return max(config.app.dedupe_ttl_ms, pipeline_settings(config).reach_ms)


@contextmanager
def rebuild(config: Config, owner: str, say: Callable[[str], object]) -> Iterator[Rebuild]:
    """What makes windows again from the archive. Raises StoreUnavailable, ArchiveError and SourceUnavailable."""
    log = KafkaSwapSource(config.ingest)
    with closing(archive_replay(config)) as archive, closing(state_stores(config, log.identity())) as stores:
        retention_ms = ledger_retention_ms(config)
        yield Rebuild(pipeline_settings(config), retention_ms, log, archive, stores, owner, say)


def archive_replay(config: Config) -> ArchiveReplay:
    return ClickHouseReplay(clickhouse(config))


def checkpoint_admin(config: Config) -> CheckpointAdmin:
    """Checkpoints for operators. Raises StoreUnavailable."""
    store = config.stores.redis
    return RedisCheckpointAdmin(RedisSession.open(store), store.prefix)


def swap_log(config: Config) -> SwapSource:
    """The log, to ask about it; nobody's assignment changes as long as it is not subscribed to."""
    return KafkaSwapSource(config.ingest)
