"""Counts a direct answer as django-prometheus's two middlewares count one of Django's."""

from collections.abc import Callable
from threading import Lock
from typing import Any

from django_prometheus.middleware import Metrics

from swapstats.metrics.noted import NotedHistogram, tell_soon


class AnswerCounter:
    """For answers to GET by one view, over one transport, with one status. The series are looked up once. For any
    thread."""

    def __init__(self, view: str, status: int, transport: str) -> None:
        metrics: Any = Metrics.get_instance()
        self._increments: list[Callable[[int], None]] = [
            metrics.requests_total.inc,
            metrics.responses_total.inc,
            metrics.requests_by_method.labels(method="GET").inc,
            metrics.requests_by_transport.labels(transport=transport).inc,
            metrics.requests_by_view_transport_method.labels(view=view, transport=transport, method="GET").inc,
            metrics.responses_by_templatename.labels(templatename="None").inc,
            metrics.responses_by_status.labels(status=str(status)).inc,
            metrics.responses_by_status_view_method.labels(status=str(status), view=view, method="GET").inc,
            metrics.responses_by_charset.labels(charset="utf-8").inc,
        ]
        self._lock = Lock()
        self._noted = 0
        self._body_bytes = NotedHistogram(metrics.requests_body_bytes)
        self._bytes = NotedHistogram(metrics.responses_body_bytes)
        self._seconds = NotedHistogram(metrics.requests_latency_before)
        by_view = metrics.requests_latency_by_view_method.labels(view=view, method="GET")
        self._view_seconds = NotedHistogram(by_view)

    def count(self, size: int, seconds: float) -> None:
        """`size` of the body in bytes."""
        with self._lock:
            self._noted += 1
            is_first = self._noted == 1
            self._bytes.note(size)
            self._seconds.note(seconds)
            self._view_seconds.note(seconds)
        if is_first:
            tell_soon(self._tell)

    def _tell(self) -> None:
        with self._lock:
            for increment in self._increments:
                increment(self._noted)
            self._body_bytes.note(0, self._noted)
            for histogram in (self._body_bytes, self._bytes, self._seconds, self._view_seconds):
                histogram.tell()
            self._noted = 0
