"""Counts a direct answer as django-prometheus's two middlewares count one of Django's."""

from collections.abc import Callable
from functools import partial
from typing import Any

from django_prometheus.middleware import Metrics

Observe = Callable[[float], None]


class AnswerCounter:
    """For answers to GET by one view, over one transport, with one status. The series are looked up once."""

    def __init__(self, view: str, status: int, transport: str) -> None:
        metrics: Any = Metrics.get_instance()
        self._increments: list[Callable[[], None]] = [
            metrics.requests_total.inc,
            metrics.responses_total.inc,
            metrics.requests_by_method.labels(method="GET").inc,
            metrics.requests_by_transport.labels(transport=transport).inc,
            metrics.requests_by_view_transport_method.labels(view=view, transport=transport, method="GET").inc,
            metrics.responses_by_templatename.labels(templatename="None").inc,
            metrics.responses_by_status.labels(status=str(status)).inc,
            metrics.responses_by_status_view_method.labels(status=str(status), view=view, method="GET").inc,
            metrics.responses_by_charset.labels(charset="utf-8").inc,
            partial(metrics.requests_body_bytes.observe, 0),
        ]
        self._observe_bytes: Observe = metrics.responses_body_bytes.observe
        self._observe_seconds: Observe = metrics.requests_latency_before.observe
        self._observe_view_seconds: Observe = metrics.requests_latency_by_view_method.labels(
            view=view, method="GET"
        ).observe

    def count(self, size: int, seconds: float) -> None:
        """`size` of the body in bytes."""
        for increment in self._increments:
            increment()
        self._observe_bytes(size)
        self._observe_seconds(seconds)
        self._observe_view_seconds(seconds)
