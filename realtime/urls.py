"""The addresses of the pages."""

from django.urls import path

from realtime import pages

urlpatterns = [
    path("", pages.board, name="board"),
    path("tokens/<path:reference>", pages.token, name="token"),
]
