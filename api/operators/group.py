"""The admin's page of the consumer group."""

from django.contrib import admin
from django.http import HttpRequest, HttpResponse

from api.models import ConsumerGroup
from api.operators.rooms import Room
from api.operators.survey import log_ends
from settings.config import load_config
from swapstats import bootstrap
from swapstats.ports.consumer_group import GroupState


@admin.register(ConsumerGroup)
class ConsumerGroupRoom(Room):
    def list_page(self, request: HttpRequest) -> HttpResponse:
        group = bootstrap.consumer_group(load_config()).look()
        title = f"Consumer group {group.group_id}"
        return self.page(request, "change_list", title, group=group, offsets=_offsets(group))

    def one_page(self, request: HttpRequest, key: str) -> HttpResponse:
        """There is but one."""
        return self.list_page(request)


def _offsets(group: GroupState) -> list[tuple[int, str, int | None, int, int | None]]:
    """Partition, who has it, committed offset, the log's end, and how many records lie between."""
    held = {number: member.client_id for member in group.members for number in member.partitions}
    found, _ = log_ends()
    return [
        (number, held.get(number, ""), offset, end, None if offset is None else max(0, end - offset))
        for (_, number), end in sorted(found.items())
        for offset in (group.committed.get(number),)
    ]
