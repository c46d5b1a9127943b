"""The admin's pages of API clients: made, given tokens that are shown once, limited, and revoked."""

import time
from datetime import UTC, datetime
from typing import Any

from django import forms
from django.contrib import admin
from django.contrib.admin.utils import quote
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect

from api.issuing import can_issue, issue
from api.models import ApiClient
from api.operators.rooms import ActingAdmin
from settings.config.values import parse_duration

USUAL_VALIDITY = "90d"
LONGEST_S = 3_660 * 86_400
AGREED = ("purpose", "refill_per_sec", "burst")
SEEN = ("created_at", "token_expires_at", "revoked_at")


class Validity(forms.CharField):
    """How long a token is valid, as people write it; in seconds when it is clean."""

    def __init__(self) -> None:
        text = "Such as 12h, 90d; no longer than it needs."
        super().__init__(label="Token valid for", initial=USUAL_VALIDITY, help_text=text, max_length=20)

    def clean(self, value: Any) -> int:
        try:
            seconds = parse_duration(super().clean(value)) // 1000
        except ValueError as error:
            raise ValidationError(f"{str(error)[:1].upper()}{str(error)[1:]}.") from error
        if not 0 < seconds <= LONGEST_S:
            raise ValidationError("A token is valid for a second at least, and for ten years at most.")
        return seconds


class NewClientForm(forms.ModelForm):  # type: ignore[type-arg]  # it takes none when it runs
    valid_for = Validity()


class TokenForm(forms.Form):
    valid_for = Validity()
    ends_earlier = forms.BooleanField(label="Refuse all tokens that it was given so far", required=False)


class StateFilter(admin.SimpleListFilter):
    title = "state"
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("live", "Live"), ("revoked", "Revoked")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[ApiClient]) -> QuerySet[ApiClient]:
        return queryset.filter(revoked_at__isnull=self.value() == "live") if self.value() else queryset


@admin.register(ApiClient)
class ApiClientAdmin(ActingAdmin):
    actions_of_one = ("token", "revoke")
    list_display = ("subject", "purpose", "limits", "valid_until", "state")
    list_filter = (StateFilter,)
    search_fields = ("subject", "purpose")
    actions = None

    @admin.display(ordering="refill_per_sec")
    def limits(self, client: ApiClient) -> str:
        return f"{client.refill_per_sec:g} a second, {client.burst} at once" if client.burst else "everybody's"

    @admin.display(description="last token until", ordering="token_expires_at")
    def valid_until(self, client: ApiClient) -> str:
        return _day(client.token_expires_at)

    @admin.display(ordering="revoked_at")
    def state(self, client: ApiClient) -> str:
        return f"revoked {_day(client.revoked_at)}" if client.revoked_at else "live"

    def get_form(self, request: HttpRequest, obj: ApiClient | None = None, change: bool = False, **kwargs: Any) -> Any:
        if obj is None and can_issue():
            kwargs["form"] = NewClientForm
        return super().get_form(request, obj, change, **kwargs)

    def get_fields(self, request: HttpRequest, obj: ApiClient | None = None) -> Any:
        return ("subject", *AGREED, *SEEN) if obj else super().get_fields(request, obj)

    def get_readonly_fields(self, request: HttpRequest, obj: ApiClient | None = None) -> tuple[str, ...]:
        return ("subject", *SEEN) if obj else ()

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        client = self.get_object(request, object_id)
        state = {"can_issue": can_issue(), "is_revoked": bool(client and client.revoked_at), "key": quote(object_id)}
        return super().change_view(request, object_id, form_url, {**state, **(extra_context or {})})

    def save_form(self, request: HttpRequest, form: Any, change: bool) -> Any:
        client = super().save_form(request, form, change)
        if valid_for := form.cleaned_data.get("valid_for"):
            client.token_expires_at = _expiry(valid_for)
        return client

    def response_add(self, request: HttpRequest, obj: ApiClient, post_url_continue: str | None = None) -> HttpResponse:
        if obj.token_expires_at is None:
            return super().response_add(request, obj, post_url_continue)
        return self._show_token(request, obj, obj.token_expires_at)

    def token_page(self, request: HttpRequest, key: str) -> HttpResponse:
        client, form = _found(key), TokenForm(request.POST or None)
        if client.revoked_at or not can_issue():
            raise Http404("There is nothing to issue for it.")
        if not form.is_valid():
            return self.page(request, "token_ask", f"New token for {client}?", form=form, client=client)
        expiry = client.token_expires_at = _expiry(form.cleaned_data["valid_for"])
        if form.cleaned_data["ends_earlier"]:
            client.refused_before = int(time.time())
        client.save(update_fields=["token_expires_at", "refused_before"])
        ended = " All tokens before it are refused." if form.cleaned_data["ends_earlier"] else ""
        self.log_change(request, client, f"Token issued, valid until {expiry:%Y-%m-%d}.{ended}")
        return self._show_token(request, client, expiry)

    def revoke_page(self, request: HttpRequest, key: str) -> HttpResponse:
        client = _found(key)
        if request.method != "POST":
            return self.page(request, "revoke", f"Revoke {client}?", client=client)
        if not client.revoked_at:
            client.revoke()
            self.log_change(request, client, "Revoked.")
        self.message_user(request, f"Revoked {client}: within seconds all its tokens are refused.")
        return redirect("admin:api_apiclient_changelist")

    def _show_token(self, request: HttpRequest, client: ApiClient, expiry: datetime) -> HttpResponse:
        """In this answer only: it is neither kept nor logged."""
        seconds = round((expiry - datetime.now(UTC)).total_seconds())
        token = issue(client.subject, seconds)
        return self.page(request, "token", f"The token of {client}", client=client, token=token)


def _found(key: str) -> ApiClient:
    client = ApiClient.objects.filter(pk=key).first() if key.isdecimal() and len(key) < 19 else None
    if client is None:
        raise Http404("There is no such API client.")
    return client


def _day(moment: datetime | None) -> str:
    return f"{moment:%Y-%m-%d}" if moment else "–"


def _expiry(seconds: int) -> datetime:
    return datetime.fromtimestamp(time.time() + seconds, UTC)
