"""The socket that a server listens on."""

import errno
import socket

from swapstats.domain.errors import PartError

BACKLOG = 2048


def listen(host: str, port: int, key: str) -> socket.socket:
    """A listening socket; `PartError` names the address and `key`, the setting that holds it."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=BACKLOG)
    except OSError as error:
        taken = error.errno == errno.EADDRINUSE
        reason = "another program is listening there" if taken else error.strerror
        raise PartError(f"cannot listen on {host}:{port}: {reason}; choose another address with {key}") from error


def free_port(host: str = "127.0.0.1") -> int:
    """A port that nobody listened on a moment ago."""
    with socket.create_server((host, 0)) as listener:
        return int(listener.getsockname()[1])
