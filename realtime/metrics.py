"""What operators see of the WebSocket side, under the names of CONTRACT §6 and a few more."""

from prometheus_client import Counter, Gauge

CLIENTS = Gauge("ws_clients_gauge", "Clients connected to this process now.")
DROPPED = Counter("ws_dropped_msgs_total", "Values that newer ones replaced before a slow client took them.")
CLOSED = Counter("ws_closed_total", "Connections that the server ended, by reason.", ["reason"])
FLUSH_SECONDS = Gauge("ws_flush_seconds", "How long the latest tick took to read and mark what had changed.")
