"""Which top list a topic `overview:<window>?<options>` means."""

from collections.abc import Mapping
from typing import Annotated, Literal
from urllib.parse import parse_qsl, urlencode

import msgspec
from msgspec import Meta, Struct

from realtime.protocol import ErrorCode
from realtime.ranking import FIELDS, Order
from swapstats.domain.errors import MessageRefused

MAX_LIMIT = 500


class TopList(Struct, frozen=True, forbid_unknown_fields=True):
    sort: str = "volume_usd"
    order: Literal["asc", "desc"] = "desc"
    limit: Annotated[int, Meta(ge=1, le=MAX_LIMIT)] = 10
    chain_id: Annotated[int, Meta(ge=1, le=2**63 - 1)] | None = None

    def order_in(self, window: str) -> Order:
        return Order(window, self.sort, self.order == "desc", self.chain_id)

    def topic(self, window: str) -> str:
        """The canonical name: options in the order of the alphabet, and none that goes without saying."""
        options = {name: getattr(self, name) for name in sorted(self.__struct_fields__)}
        said = {name: value for name, value in options.items() if value != getattr(_DEFAULT, name)}
        return f"overview:{window}" + (f"?{urlencode(said)}" if said else "")


_DEFAULT = TopList()


def parse_top_list(query: str, members: Mapping[str, str]) -> TopList:
    """From the options in the topic and those in the message. Raises MessageRefused."""
    options = {**members, **dict(parse_qsl(query, keep_blank_values=True))}
    try:
        wanted = msgspec.convert(options, TopList, strict=False)
    except msgspec.ValidationError as error:
        raise MessageRefused(ErrorCode.BAD_PARAMETER, str(error)) from None
    if wanted.sort not in FIELDS:
        raise MessageRefused(ErrorCode.BAD_PARAMETER, f"`sort`: expected one of {', '.join(FIELDS)}")
    return wanted
