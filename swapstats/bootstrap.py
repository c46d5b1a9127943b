"""The one place that names concrete adapters; each function makes what a room needs from the configuration."""

import os
import threading

from channels.layers import get_channel_layer

from realtime.feed import ViewFeed, run_in_thread
from realtime.service import Service
from realtime.view import LiveView
from settings.config import load_config
from swapstats.adapters.redis.clients import async_client
from swapstats.adapters.redis.live_store import RedisLiveReader
from swapstats.adapters.redis.update_feed import ChannelLayerReceiver, ChannelLayerSender
from swapstats.ports.live_store import LiveReader
from swapstats.ports.update_feed import UpdateReceiver, UpdateSender


def live_reader() -> LiveReader:
    store = load_config().stores.redis
    return RedisLiveReader(async_client(store), store.prefix)


def update_sender() -> UpdateSender:
    return ChannelLayerSender(get_channel_layer())


def update_receiver() -> UpdateReceiver:
    return ChannelLayerReceiver(get_channel_layer())


_feeds: dict[int, ViewFeed] = {}
_feeds_lock = threading.Lock()


def view_feed() -> ViewFeed:
    """This process's feed of the live view, started when it is first asked for; threads do not survive a fork."""
    with _feeds_lock:
        feed = _feeds.get(os.getpid())
        if feed is None:
            feed = _feeds[os.getpid()] = ViewFeed(LiveView(), live_reader, update_receiver)
            run_in_thread(feed)
        return feed


def live_view() -> LiveView:
    return view_feed().view


_services: dict[int, Service] = {}


def websocket_service() -> Service:
    """This process's WebSocket clients; called in the thread of the event loop that serves them."""
    service = _services.get(os.getpid())
    if service is None:
        config, feed = load_config(), view_feed()
        service = Service(feed.view, list(config.app.windows), config.api.ws, feed.now_ms)
        _services[os.getpid()] = service
    return service
