"""The addresses of the API. A token's identity may contain slashes, so what follows it is matched from the end."""

from django.urls import URLPattern, path
from drf_spectacular.renderers import OpenApiJsonRenderer2
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerSplitView

from api.history.views import CandlesView, DailyView, TradesView
from api.views.asyncapi import asyncapi
from api.views.auth import RefreshView, TicketView, TokenView
from api.views.errors import NoSuchAddressView
from api.views.health import healthz, readyz
from api.views.overview import OverviewView
from api.views.stats import BatchStatsView, TokenStatsView
from api.views.token_list import TokenListView

health_urls: list[URLPattern] = [path("healthz", healthz), path("readyz", readyz)]

api_urls: list[URLPattern] = [
    path("overview", OverviewView.as_view(), name="overview"),
    path("tokens", TokenListView.as_view(), name="tokens"),
    path("tokens/stats", BatchStatsView.as_view(), name="batch-stats"),
    path("tokens/<path:reference>/stats", TokenStatsView.as_view(), name="token-stats"),
    path("tokens/<path:reference>/candles", CandlesView.as_view(), name="token-candles"),
    path("tokens/<path:reference>/trades", TradesView.as_view(), name="token-trades"),
    path("tokens/<path:reference>/daily", DailyView.as_view(), name="token-daily"),
    path("auth/token", TokenView.as_view(), name="token"),
    path("auth/refresh", RefreshView.as_view(), name="refresh"),
    path("ws/ticket", TicketView.as_view(), name="ws-ticket"),
    path("schema/", SpectacularAPIView.as_view(renderer_classes=[OpenApiJsonRenderer2]), name="schema"),
    path("schema/websocket/", asyncapi, name="asyncapi"),
    path("docs/", SpectacularSwaggerSplitView.as_view(template_name="api/docs.html"), name="docs"),
    path("<path:anything>", NoSuchAddressView.as_view()),
]
