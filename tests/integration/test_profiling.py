"""The profiler, asked over HTTP about a process with a hot spot; its answers are read by the real `go tool pprof`."""

import asyncio
import gzip
import re
import shutil
import subprocess
import threading
import xml.etree.ElementTree as ET
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from swapstats.adapters.system.listener import free_port
from swapstats.profiling import heap, pprof, slow
from swapstats.profiling import server as profiler
from swapstats.profiling.samples import Frame, Measure, Profile
from swapstats.profiling.server import serve
from tests.parts.missing import skip_or_fail


@pytest.fixture
def ask() -> Iterator[Callable[..., httpx.Response]]:
    server = serve("127.0.0.1", free_port())
    assert server is not None
    base = f"http://127.0.0.1:{server.server_port}/debug/pprof/"
    yield lambda page="", **query: httpx.get(base + page, params=query or None, timeout=30)
    server.shutdown()
    server.server_close()


@pytest.fixture
def hot_spot() -> Iterator[None]:
    """A thread that computes, and one that only waits."""
    ended = threading.Event()

    def planted_hot_spot() -> None:
        while not ended.is_set():
            sum(range(1_000))

    def planted_idler() -> None:
        ended.wait()

    threads = [threading.Thread(target=planted_hot_spot, name="busy"), threading.Thread(target=planted_idler)]
    for thread in threads:
        thread.start()
    yield
    ended.set()
    for thread in threads:
        thread.join()


def go_pprof(profile: bytes, directory: Path, *options: str) -> str:
    if shutil.which("go") is None:
        skip_or_fail("no `go tool pprof`: install golang-go")
    file = directory / "profile.pb.gz"
    file.write_bytes(profile)
    command = ["go", "tool", "pprof", *options, str(file)]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def test_a_planted_hot_spot_comes_first(ask, hot_spot, tmp_path):
    answer = ask("profile", seconds=1.5)
    top = go_pprof(answer.content, tmp_path, "-top", "-sample_index=cpu")
    assert "Type: cpu" in top
    rows = re.findall(r"^ *([\d.]+)(ms|s) +([\d.]+)%.* (\S+)$", top, re.MULTILINE)
    assert rows[0][3].endswith("planted_hot_spot")
    assert float(rows[0][2]) > 50, "most CPU time is spent there"
    waiting = [share for _, _, share, name in rows if name.endswith("planted_idler")]
    assert not [share for share in waiting if float(share) > 1], "who waits uses no CPU"


def test_waiting_shows_as_wall_time(ask, hot_spot, tmp_path):
    top = go_pprof(ask("profile", seconds=1).content, tmp_path, "-top", "-cum", "-sample_index=wall")
    assert "planted_idler" in top


def test_the_flame_graph_is_a_picture_with_the_hot_spot_in_it(ask, hot_spot):
    answer = ask("profile", seconds=1, format="svg")
    assert answer.headers["content-type"] == "image/svg+xml"
    picture = ET.fromstring(answer.text)  # noqa: S314 - our own
    widths = {
        title.text.split(" (")[0].rsplit(".", 1)[-1]: float(rect.get("width"))
        for rect in picture.iter("{http://www.w3.org/2000/svg}rect")
        for title in rect
    }
    assert widths["planted_hot_spot"] > widths["all"] / 2
    assert widths["thread busy"] >= widths["planted_hot_spot"]


def test_memory_that_stays_is_told_by_its_place(tmp_path):
    kept: list[bytes] = []
    found = heap.watch(1.0, lambda _: kept.extend(bytes(1_000) for _ in range(5_000)))
    assert "test_profiling.py" in heap.as_text(found)
    top = go_pprof(pprof.encode(found), tmp_path, "-top", "-sample_index=inuse_space")
    first = re.findall(r"^ *([\d.]+)MB .* (\S+:\d+)", top, re.MULTILINE)[0]
    assert 4.5 < float(first[0]) < 7
    assert "test_profiling.py" in first[1]
    assert len(kept) == 5_000


def test_memory_is_traced_only_while_asked(ask):
    import tracemalloc

    text = ask("heap", seconds=0.2, format="text").text
    assert text.startswith("allocated within 0.2 s and still there: ")
    assert not tracemalloc.is_tracing()


def test_threads_and_tasks_are_told_with_their_stacks(ask, hot_spot):
    started, ended = threading.Event(), threading.Event()

    async def planted_task() -> None:
        started.set()
        while not ended.is_set():
            await asyncio.sleep(0.01)

    loop = threading.Thread(target=lambda: asyncio.run(planted_task()))
    loop.start()
    started.wait(10)
    threads, tasks = ask("threads").text, ask("tasks").text
    ended.set()
    loop.join()
    assert "thread busy" in threads
    assert "planted_hot_spot" in threads
    assert re.search(r"planted_task\n.*sleep", tasks)


def test_slow_steps_are_told_stage_by_stage(ask):
    slow.SLOW_STEPS.append(slow.SlowStep(0.25, 1_000, {"decode": 20.0, "decide": 130.5}))
    last = ask("batches").text.splitlines()[-1]
    assert '"ended": "1970-01-01T00:00:00.250+00:00", "records": 1000, "total_ms": 150.5' in last


def test_two_profiles_at_once_are_refused(ask):
    with profiler._BUSY:
        assert ask("profile", seconds=0.1).status_code == 409
        assert ask("heap", seconds=0.1).status_code == 409
    assert ask("profile", seconds=0.1).status_code == 200


@pytest.mark.parametrize(("page", "status"), [("nothing", 404), ("profile?seconds=soon", 400), ("", 200)])
def test_odd_questions_get_an_answer(ask, page, status):
    assert ask(page).status_code == status


def test_the_next_free_port_is_taken():
    first = serve("127.0.0.1", free_port())
    assert first is not None
    second = serve("127.0.0.1", first.server_port)
    assert second is not None
    assert first.server_port < second.server_port <= first.server_port + 16
    for server in (first, second):
        server.shutdown()
        server.server_close()


def test_numbers_of_any_size_are_encoded_as_protobuf_does(tmp_path):
    stack = (Frame("caller", "a.py", 1), Frame("callee", "b.py", 300))
    profile = Profile((Measure("samples", "count"),), {stack: (2**40 + 5,)}, 2**60, 10**9, 10**7)
    encoded = pprof.encode(profile)
    assert b"callee" in gzip.decompress(encoded)
    raw = go_pprof(encoded, tmp_path, "-raw")
    assert re.search(rf"{2**40 + 5}: 1 2|{2**40 + 5}: 2 1", raw)
    assert "callee b.py:300" in raw
