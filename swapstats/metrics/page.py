"""`/metrics` of web processes, through django-prometheus."""

import os
from collections.abc import Awaitable, Callable

from asgiref.sync import iscoroutinefunction, markcoroutinefunction
from django.http import HttpRequest, HttpResponse
from django_prometheus.exports import ExportToDjangoView

from swapstats.metrics.noted import tell_noted
from swapstats.metrics.processes import VARIABLE, forget_dead_gauges

PATH = "/metrics"

Answer = HttpResponse | Awaitable[HttpResponse]


class MetricsPage:
    """The first middleware. Prometheus asks for a machine by its address, which is none of the site's public hosts, and
    without TLS; so it is answered before anybody looks at either. What is asked from outside, nginx refuses."""

    sync_capable = True
    async_capable = True

    def __init__(self, get_response: Callable[[HttpRequest], Answer]) -> None:
        self._get_response = get_response
        if iscoroutinefunction(get_response):
            markcoroutinefunction(self)

    def __call__(self, request: HttpRequest) -> Answer:
        if request.path_info != PATH:
            return self._get_response(request)
        if iscoroutinefunction(self):
            return _show_later(request)
        return _show(request)


async def _show_later(request: HttpRequest) -> HttpResponse:
    return _show(request)


def _show(request: HttpRequest) -> HttpResponse:
    tell_noted()
    if os.environ.get(VARIABLE):
        forget_dead_gauges()
    page: HttpResponse = ExportToDjangoView(request)
    return page
