"""Publishes steps as a worker does: into Redis, fenced, and over the channel layer."""

from collections.abc import Iterable, Mapping
from typing import Self

from channels_redis.pubsub import RedisPubSubChannelLayer

from settings.config import RedisStore
from swapstats.adapters.redis.checkpoint_store import RedisCheckpointStore
from swapstats.adapters.redis.live_store import RedisLiveWriter
from swapstats.adapters.redis.session import RedisSession
from swapstats.adapters.redis.update_feed import ChannelLayerSender
from swapstats.domain.part_codec import encode_part
from swapstats.domain.stats import Part
from swapstats.ports.live_store import LiveMeta, Step, describe_windows
from swapstats.ports.swap_source import SourceIdentity
from swapstats.ports.update_feed import Tick
from tests.parts.live_feed import WINDOWS

PREFIX = "swapstats:"


class Publisher:
    """One partition of one log. `now_ms` is the store's clock, by which views are evaluated."""

    def __init__(self, store_url: str, layer_url: str, live_epoch: str = "e1") -> None:
        source = SourceIdentity("cluster", "raw-swaps", "")
        self._session = RedisSession.open(RedisStore(url=store_url))
        self._live = RedisLiveWriter(self._session, PREFIX, source)
        lease = RedisCheckpointStore(self._session, PREFIX, source, ttl_ms=60_000).take(0, "publisher")
        self._epochs = {0: lease.epoch}
        self._sender = ChannelLayerSender(RedisPubSubChannelLayer(hosts=[layer_url], prefix="swapstats"))
        self._source = source.key
        self._live_epoch = live_epoch
        self.seq = 0

    def now_ms(self) -> int:
        seconds, microseconds = map(int, self._session.command("TIME"))
        return seconds * 1000 + microseconds // 1000

    def publish(self, parts: Mapping[str, Part], *, reorged: Iterable[str] = (), whole: bool = False) -> None:
        before = self.seq
        self.seq += bool(parts)
        meta = LiveMeta(self._live_epoch, self.seq, self.now_ms(), self.seq, 0, describe_windows(WINDOWS))
        encoded = {token_id: encode_part(part) for token_id, part in parts.items()}
        step = Step(0, before, meta, encoded, [], list(reorged), whole)
        self._live.publish([step], self._epochs)
        self._sender.send(Tick(self._source, "publisher", [step]))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._sender.close()
        self._session.close()
