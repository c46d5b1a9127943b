"""Whose address a request comes from, when proxies stand in between."""

from collections.abc import Mapping, Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import Any

Address = IPv4Address | IPv6Address
MAX_HOPS = 20


def client_address(peer: str, forwarded_for: str, trusted: Sequence[IPv4Network | IPv6Network]) -> Address | None:
    """The nearest address that is not one of ours: the peer, or the rightmost entry of `X-Forwarded-For` that is not in
    `trusted`. Entries are believed only where whoever wrote them is trusted. None where the peer has no address."""
    address = _parse(peer)
    for hop in reversed(forwarded_for.rsplit(",", MAX_HOPS)):
        if address is None or not any(address in network for network in trusted):
            return address
        before = _parse(hop)
        if before is None:
            return address
        address = before
    return address


def scope_address(scope: Mapping[str, Any], trusted: Sequence[IPv4Network | IPv6Network]) -> Address | None:
    """That of an ASGI scope."""
    forwarded = b",".join(value for name, value in scope["headers"] if name == b"x-forwarded-for").decode("latin-1")
    return client_address((scope.get("client") or ("",))[0], forwarded, trusted)


def rate_key(address: Address | None) -> str:
    """Who shares one allowance: an IPv4 address, or the 64 bits that one IPv6 customer has for himself."""
    if isinstance(address, IPv6Address):
        return str(IPv6Network((address, 64), strict=False))
    return str(address or "")


def _parse(text: str) -> Address | None:
    """With or without a port. An IPv4 address in IPv6's clothes is one of IPv4."""
    text = text.strip()
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        address = ip_address(text)
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return mapped or address
