"""What web processes show, beside what django-prometheus counts of every request (`django_http_*`)."""

from realtime.protocol import ByeReason
from swapstats.metrics.catalogue import counter, gauge, histogram

CLIENTS = gauge("web", "ws_clients_gauge", "WebSocket clients connected now")
CLIENTS_LIMIT = gauge("web", "ws_clients_limit", "WebSocket clients that are let in at most")
DROPPED = counter("web", "ws_dropped_msgs_total", "Values that newer ones replaced before a slow client took them")
CLOSED = counter("web", "ws_closed_total", "Connections that the server ended, by reason", "reason", known=ByeReason)
FLUSH = histogram("web", "ws_flush_ms", "Reading and comparing what had changed in one tick, and writing it to clients")
STREAMS = gauge("web", "ws_streams", "Different topics, as chosen by clients, that are followed")
EVENT_TO_FRAME = histogram(
    "web",
    "event_to_frame_ms",
    "From a swap's event time to the frame that tells of it, for tokens that are followed",
    buckets=(10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000, 30_000, 60_000, 120_000, 300_000),
)
VIEW_TIME = gauge(
    "web", "view_as_of_timestamp_seconds", "Until when the live view knows all partitions", merge="livemin"
)
VIEW_TOKENS = gauge("web", "view_tokens", "Tokens in the live view", merge="livemax")
VIEW_PARTITIONS = gauge("web", "view_partitions", "Partitions in the live view", merge="livemin")
VIEW_TICKS = counter("web", "view_ticks_total", "Updates heard from workers")
VIEW_RELOADS = counter("web", "view_reloads_total", "Partitions loaded anew from the store")
VIEW_TROUBLE = gauge("web", "view_store_unreachable", "Web processes whose live view cannot look at its store now")
