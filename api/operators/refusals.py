"""The admin's page of who was refused lately."""

from django.contrib import admin
from django.http import HttpRequest, HttpResponse

from api.models import Refusal
from api.operators.rooms import Room, time_of
from swapstats import bootstrap

MOST_SHOWN = 200


@admin.register(Refusal)
class RefusalRoom(Room):
    def list_page(self, request: HttpRequest) -> HttpResponse:
        words = request.GET.get("q", "")[:200]
        found = [refusal for refusal in bootstrap.refusal_log().recent() if words in f"{refusal.who} {refusal.code}"]
        rows = [(refusal, time_of(refusal.since_ms), time_of(refusal.last_ms)) for refusal in found[:MOST_SHOWN]]
        return self.page(request, "change_list", "Refused callers", rows=rows, total=len(found), words=words)

    def one_page(self, request: HttpRequest, key: str) -> HttpResponse:
        """One has no page of its own."""
        return self.list_page(request)
