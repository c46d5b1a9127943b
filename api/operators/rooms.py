"""What the admin's pages have in common: actions that ask back and are noted, and things that stand in no table."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, ClassVar

from django.contrib import admin
from django.contrib.admin.utils import unquote
from django.core.exceptions import PermissionDenied
from django.db.models import Model
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import URLPattern, path

from swapstats.domain.errors import SourceError, StoreError


class ActingAdmin(admin.ModelAdmin):  # type: ignore[type-arg]  # it takes none when it runs
    """Who may change acts; nothing is deleted.

    A subclass has, for each of `actions_of_one`, `<action>_page(request, key)`, which asks back on GET and does it on
    POST. It may raise StoreError, SourceError.
    """

    actions_of_one: ClassVar[tuple[str, ...]] = ()

    def get_urls(self) -> list[URLPattern]:
        return [*map(self._action_url, self.actions_of_one), *super().get_urls()]

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def page(self, request: HttpRequest, template: str, title: str, **context: Any) -> TemplateResponse:
        """One of this room's pages, in the admin's frame."""
        frame = self.admin_site.each_context(request)
        own = {"title": title, "opts": self.opts, "may_change": self.has_change_permission(request)}
        path = f"admin/api/{self.opts.model_name}/{template}.html"
        return TemplateResponse(request, path, {**frame, **own, **context}, headers={"Cache-Control": "no-store"})

    def note(self, request: HttpRequest, key: str, message: str) -> None:
        """Into the audit trail, and back to the operator."""
        self.log_change(request, self.model(pk=key), message)
        self.message_user(request, message)

    def _action_url(self, action: str) -> URLPattern:
        def view(request: HttpRequest, object_id: str) -> HttpResponse:
            self._must(request, self.has_change_permission)
            page = getattr(self, f"{action}_page")
            return self._tell_of_trouble(request, lambda: page(request, unquote(object_id)))

        name = f"{self.opts.app_label}_{self.opts.model_name}_{action}"
        return path(f"<path:object_id>/{action}/", self.admin_site.admin_view(view), name=name)

    def _must(self, request: HttpRequest, may: Callable[[HttpRequest], bool]) -> None:
        if not may(request):
            raise PermissionDenied

    def _tell_of_trouble(self, request: HttpRequest, make: Callable[[], HttpResponse]) -> HttpResponse:
        """What is away is said in the room itself, as an operator has to know it."""
        try:
            return make()
        except (StoreError, SourceError) as error:
            frame = self.admin_site.each_context(request)
            context = {**frame, "title": "Not to be reached", "opts": self.opts, "trouble": str(error)}
            return TemplateResponse(request, "admin/api/trouble.html", context, status=503)


class Room(ActingAdmin):
    """Pages instead of rows: who may view looks, who may change mends; nothing is added.

    A subclass has `list_page(request)` and `one_page(request, key)`, which may raise as its actions may.
    """

    def list_page(self, request: HttpRequest) -> HttpResponse:
        raise NotImplementedError

    def one_page(self, request: HttpRequest, key: str) -> HttpResponse:
        raise NotImplementedError

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        self._must(request, self.has_view_or_change_permission)
        return self._tell_of_trouble(request, lambda: self.list_page(request))

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        self._must(request, self.has_view_or_change_permission)
        return self._tell_of_trouble(request, lambda: self.one_page(request, unquote(object_id)))

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> Any:
        """For the page of the audit trail: there is no table to look it up in."""
        return self.model(pk=object_id)


def time_of(milliseconds: int) -> datetime:
    return datetime.fromtimestamp(milliseconds / 1000, UTC)
