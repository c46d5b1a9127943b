"""The admin's pages of partitions: all of them, one opened, and what mends one."""

import asyncio
from contextlib import closing
from datetime import UTC
from typing import Any

from django import forms
from django.contrib import admin
from django.contrib.admin.utils import quote
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect

from aggregator.snapshot.compare import Comparison, compare
from aggregator.snapshot.reset import reset_to
from aggregator.snapshot.save_now import NOT_YET, save_now
from aggregator.snapshot.summary import summarize
from api.models import Partition
from api.operators.rooms import Room, time_of
from api.operators.survey import Row, find, survey
from settings.config import load_config
from swapstats import bootstrap
from swapstats.domain.amount import USD_DIGITS, format_amount
from swapstats.ports.checkpoint_admin import CheckpointAdmin
from swapstats.ports.live_store import LivePartition

TOP_TOKENS = 20
MOST_DIFFERENCES = 100


class ResetForm(forms.Form):
    from_time = forms.DateTimeField(
        label="Replay from (UTC)",
        widget=forms.DateTimeInput(attrs={"type": "datetime-local", "step": "1"}),
        help_text="The windows are forgotten and rebuilt from the records since then. Choose at least the longest "
        "window back, or they begin incomplete.",
    )


@admin.register(Partition)
class PartitionRoom(Room):
    actions_of_one = ("save", "release", "reset")

    def list_page(self, request: HttpRequest) -> HttpResponse:
        found = survey()
        rows = [(row, quote(row.name)) for row in found.rows]
        return self.page(request, "change_list", "Partitions", rows=rows, broker_trouble=found.broker_trouble)

    def one_page(self, request: HttpRequest, key: str) -> HttpResponse:
        with closing(_checkpoints()) as checkpoints:
            row = _found(checkpoints, key)
            summary = summarize(checkpoints.segments(row.source, row.held.partition))
            compared = _compare(checkpoints, row) if "compare" in request.GET else None
        return self.page(
            request,
            "change_form",
            f"Partition {row.held.partition}",
            **_shown(row),
            outcomes=sorted((row.held.meta.outcomes if row.held.meta else {}).items()),
            buckets=[(f"{width_ms / 1000:g} s", count) for width_ms, count in sorted(summary.buckets.items())],
            top=[(token, format_amount(usd, USD_DIGITS)) for token, usd in summary.volumes.most_common(TOP_TOKENS)],
            compared=compared,
            differences=_differences(compared),
            ahead=_ahead(row),
        )

    def save_page(self, request: HttpRequest, key: str) -> HttpResponse:
        with closing(_checkpoints()) as checkpoints:
            row = _found(checkpoints, key)
            if request.method != "POST":
                return self.page(request, "save", f"Snapshot of partition {row.held.partition} now?", **_shown(row))
            saved = save_now(checkpoints, row.source, row.held.partition)
        if saved:
            before = row.held.meta.revision if row.held.meta else 0
            moved = f"revision {before} → {saved.revision}, offset {saved.next_offset}"
            self.note(request, key, f"Snapshot taken: {moved}.")
        else:
            self.note(request, key, f"Snapshot asked for: {NOT_YET}.")
        return redirect("admin:api_partition_change", quote(row.name))

    def release_page(self, request: HttpRequest, key: str) -> HttpResponse:
        with closing(_checkpoints()) as checkpoints:
            row = _found(checkpoints, key)
            if request.method != "POST":
                return self.page(request, "release", f"Release partition {row.held.partition}?", **_shown(row))
            checkpoints.release(row.source, row.held.partition)
        self.note(request, key, f"Released: epoch {row.held.epoch} of {row.held.owner or 'nobody'} ended.")
        return redirect("admin:api_partition_changelist")

    def reset_page(self, request: HttpRequest, key: str) -> HttpResponse:
        form = ResetForm(request.POST or None)
        with closing(_checkpoints()) as checkpoints:
            row = _found(checkpoints, key)
            if not form.is_valid():
                title = f"Replay partition {row.held.partition}?"
                return self.page(request, "reset", title, form=form, **_shown(row))
            moment, config = form.cleaned_data["from_time"].astimezone(UTC), load_config()
            from_ms, skew_ms = round(moment.timestamp() * 1000), config.app.max_skew_ms
            with closing(bootstrap.swap_log(config)) as log:
                offset = reset_to(checkpoints, row.source, row.held.partition, log, from_ms, skew_ms)
        self.note(request, key, f"Reset: replayed from {moment:%Y-%m-%dT%H:%M:%SZ}, offset {offset}.")
        return redirect("admin:api_partition_changelist")


def _checkpoints() -> CheckpointAdmin:
    return bootstrap.checkpoint_admin(load_config())


def _found(checkpoints: CheckpointAdmin, key: str) -> Row:
    row = find(checkpoints, key)
    if row is None:
        raise Http404("There is no snapshot of such a partition.")
    return row


def _shown(row: Row) -> dict[str, Any]:
    saved_at = time_of(row.held.meta.saved_at_ms) if row.held.meta else None
    asked_at = time_of(row.held.save_asked_ms) if row.held.save_asked_ms else None
    return {"row": row, "key": quote(row.name), "saved_at": saved_at, "asked_at": asked_at}


def _ahead(row: Row) -> int | None:
    """How many records the live view has read that the snapshot has not."""
    if row.live is None or row.held.meta is None:
        return None
    return row.live.offset - row.held.meta.next_offset


def _compare(checkpoints: CheckpointAdmin, row: Row) -> Comparison | None:
    live = asyncio.run(_live_partition(row))
    if live is None:
        return None
    margin_ms = bootstrap.pipeline_settings(load_config()).margin_ms
    return compare(checkpoints.segments(row.source, row.held.partition), live, margin_ms)


async def _live_partition(row: Row) -> LivePartition | None:
    reader = bootstrap.live_reader()
    try:
        return await reader.load(row.source.key, row.held.partition)
    finally:
        await reader.close()


def _differences(compared: Comparison | None) -> list[tuple[str, str, str, str, int, int]]:
    """Token, window, and USD and trades of each, for the page."""
    return [
        (
            *(found.token, found.window),
            *(format_amount(found.live.usd, USD_DIGITS), format_amount(found.recomputed.usd, USD_DIGITS)),
            *(found.live.trades, found.recomputed.trades),
        )
        for found in (compared.differences if compared else [])[:MOST_DIFFERENCES]
    ]
