"""A task that is stopped has ended, even where a cancellation was lost on its way."""

import asyncio

from realtime.stopping import stop


async def test_a_cancellation_that_comes_as_a_write_is_done_is_not_lost() -> None:
    written = asyncio.get_running_loop().create_future()

    async def write_and_listen() -> None:
        await asyncio.wait_for(written, 60)
        await asyncio.Event().wait()

    task = asyncio.create_task(write_and_listen())
    await asyncio.sleep(0)
    written.set_result(None)
    await stop({task})
    assert task.cancelled()


async def test_a_task_that_takes_its_time_to_clean_up_is_waited_for() -> None:
    cleaned = asyncio.Event()

    async def clean_up() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)
            cleaned.set()

    task = asyncio.create_task(clean_up())
    await asyncio.sleep(0)
    await stop({task})
    assert cleaned.is_set()


async def test_what_has_ended_already_is_left_alone() -> None:
    task = asyncio.create_task(asyncio.sleep(0, "done"))
    await task
    await stop({task})
    assert task.result() == "done"
