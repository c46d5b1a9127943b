"""This machine: ports that are free, files that may be open, room on the disk."""

import errno
import resource
import shutil
import socket
from collections.abc import Iterator

from settings.config import Address, Config
from swapstats.doctor.finding import Finding, error, ok, warning

PART = "machine"
FILES_BESIDE_CLIENTS = 200
LOW_DISK_BYTES = 1 << 30


def examine(config: Config) -> Iterator[Finding]:
    for key, address in _addresses(config).items():
        yield _port(key, address)
    yield _open_files(config)
    yield _disk(config)


def _addresses(config: Config) -> dict[str, Address]:
    named = {
        "api.http.addr": config.api.http.addr,
        "metrics.prometheus": config.metrics.prometheus,
        "metrics.pprof": config.metrics.pprof,
    }
    return {key: address for key, address in named.items() if address and address.port}


def _port(key: str, address: Address) -> Finding:
    family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
    try:
        socket.create_server(tuple(address), family=family).close()
    except OSError as trouble:
        return _taken(key, address) if trouble.errno == errno.EADDRINUSE else _impossible(key, address, trouble)
    return ok(PART, f"machine.port.{key}", f"{address} is free for {key}")


def _taken(key: str, address: Address) -> Finding:
    return warning(
        PART,
        f"machine.port.{key}",
        f"{address} ({key}) is taken; that is as it should be where the process that belongs there runs already",
        f"`ss -ltnp 'sport = :{address.port}'` says who listens; stop it, or choose another address with {key}",
    )


def _impossible(key: str, address: Address, trouble: OSError) -> Finding:
    what = f"nothing can listen on {address} ({key}): {trouble.strerror}"
    return error(PART, f"machine.port.{key}", what, f"choose an address of this machine with {key}")


def _open_files(config: Config) -> Finding:
    limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = config.api.ws.max_conn + FILES_BESIDE_CLIENTS
    if limit < needed:
        return error(
            PART,
            "machine.open_files",
            f"a process may open {limit} files, but api.ws.max_conn lets in {config.api.ws.max_conn} clients",
            f"raise the limit to {needed} (`ulimit -n`, LimitNOFILE=, or ulimits: in compose), or lower max_conn",
        )
    return ok(PART, "machine.open_files", f"a process may open {limit} files, {needed} are needed at most")


def _disk(config: Config) -> Finding:
    place = config.embedded.data_dir
    while not place.exists():
        place = place.parent
    free = shutil.disk_usage(place).free
    what = f"{free / 2**30:.1f} GiB are free where embedded.data_dir is"
    if free < LOW_DISK_BYTES:
        return warning(PART, "machine.disk", what, "make room, or put embedded.data_dir on another disk")
    return ok(PART, "machine.disk", what)
