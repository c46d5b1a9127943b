"""The pages under `metrics.pprof`, at the addresses that pprof's users expect."""

import http
import logging
import socket
from collections.abc import Callable, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock, Thread
from typing import Any, NamedTuple
from urllib.parse import parse_qsl, urlsplit

from swapstats.profiling import cpu, flame, heap, pprof, slow, stacks
from swapstats.profiling.samples import Profile

log = logging.getLogger(__name__)

ROOT = "/debug/pprof/"
LONGEST_S, HIGHEST_HZ = 120.0, 1_000
PORTS = 16

INDEX = """\
profile?seconds=30&hz=100              CPU and wall time of all threads, for `go tool pprof`
profile?seconds=30&format=svg          the same as a flame graph
heap?seconds=30                        what is allocated meanwhile and stays, for `go tool pprof`
heap?seconds=30&format=text            the same to read
threads                                where every thread stands
tasks                                  where every asyncio task stands
batches                                the latest slow steps of a worker, stage by stage
"""

_BUSY = Lock()
"""One profile at a time: two would see each other."""


class Page(NamedTuple):
    body: bytes
    kind: str = "text/plain; charset=utf-8"
    status: http.HTTPStatus = http.HTTPStatus.OK


Query = Mapping[str, str]


def _profile(query: Query) -> Page:
    hz = min(int(query.get("hz", "100")), HIGHEST_HZ)
    return _gathered(query, lambda seconds: cpu.profile(seconds, max(hz, 1)), {"svg": _svg})


def _heap(query: Query) -> Page:
    return _gathered(query, heap.watch, {"text": lambda found: Page(heap.as_text(found).encode())})


def _svg(found: Profile) -> Page:
    return Page(flame.svg(found).encode(), "image/svg+xml")


def _gathered(
    query: Query, gather: Callable[[float], Profile], formats: Mapping[str, Callable[[Profile], Page]]
) -> Page:
    seconds = min(max(float(query.get("seconds", "30")), 0.1), LONGEST_S)
    if not _BUSY.acquire(blocking=False):
        return Page(b"another profile is being taken\n", status=http.HTTPStatus.CONFLICT)
    try:
        found = gather(seconds)
    finally:
        _BUSY.release()
    as_chosen = formats.get(query.get("format", ""))
    return as_chosen(found) if as_chosen else Page(pprof.encode(found), "application/octet-stream")


PAGES: dict[str, Callable[[Query], Page]] = {
    "": lambda _: Page(INDEX.encode()),
    "profile": _profile,
    "heap": _heap,
    "threads": lambda _: Page(stacks.threads().encode()),
    "tasks": lambda _: Page(stacks.tasks().encode()),
    "batches": lambda _: Page(slow.as_text().encode()),
}


class _Handler(BaseHTTPRequestHandler):
    timeout = 10
    server_version = "swapstats"

    def do_GET(self) -> None:
        page = _page(self.path)
        self.send_response(page.status)
        self.send_header("Content-Type", page.kind)
        self.send_header("Content-Length", str(len(page.body)))
        self.end_headers()
        self.wfile.write(page.body)

    def log_message(self, format: str, *args: Any) -> None:
        log.info(format, *args)


def _page(path: str) -> Page:
    address = urlsplit(path)
    make = PAGES.get(address.path.removeprefix(ROOT)) if address.path.startswith(ROOT) else None
    if make is None:
        return Page(f"look under {ROOT}\n".encode(), status=http.HTTPStatus.NOT_FOUND)
    try:
        return make(dict(parse_qsl(address.query)))
    except ValueError as error:
        return Page(f"{error}\n".encode(), status=http.HTTPStatus.BAD_REQUEST)


class _Server(ThreadingHTTPServer):
    daemon_threads = True


def serve(host: str, port: int) -> ThreadingHTTPServer | None:
    """Serve in a thread, on this port or the next free one of sixteen. None, with a line in the log, where there is
    none: a process that cannot be profiled still does its work."""
    for offset in range(PORTS if port else 1):
        try:
            _Server.address_family = socket.AF_INET6 if ":" in host else socket.AF_INET
            server = _Server((host, port + offset), _Handler)
        except OSError:
            continue
        Thread(target=server.serve_forever, name="profiler", daemon=True).start()
        log.info("profiler on http://%s:%d%s", *server.server_address[:2], ROOT)
        return server
    log.warning("no profiler: %s:%d and the ports after it are taken", host, port)
    return None
