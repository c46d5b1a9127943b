"""Which web pages may connect. A browser sends cookies and reaches inner networks on behalf of any page, so a page of
another site is refused. Programs that are no browsers send no Origin and are not concerned."""

from collections.abc import Collection
from urllib.parse import urlsplit

from django.http.request import validate_host

_DEFAULT_PORTS = {"http": 80, "https": 443}


class OriginRule:
    """A page of the same host may connect, as long as that host is one of ours, and so may the origins named."""

    def __init__(self, hosts: Collection[str], origins: Collection[str]) -> None:
        self._hosts = list(hosts)
        self._origins = {_address(origin) for origin in origins}

    def allows(self, origin: str | None, host: str) -> bool:
        """`origin` and `host` are the request's headers of these names."""
        if origin is None:
            return True
        page = _address(origin)
        if page is None:
            return False
        scheme, name, _ = page
        return page in self._origins or (page == _address(f"{scheme}://{host}") and validate_host(name, self._hosts))


def _address(url: str) -> tuple[str, str, int] | None:
    """Scheme, host and port; None for anything that is not the origin of a web page."""
    try:
        parts = urlsplit(url)
        port = parts.port or _DEFAULT_PORTS.get(parts.scheme)
    except ValueError:
        return None
    return (parts.scheme, parts.hostname, port) if parts.hostname and port else None
