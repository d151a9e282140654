"""Work beside a block: it begins, it ends with the block, and an error of its own is told and ends nothing else."""

import asyncio
import logging

import pytest

from process.beside import beside


async def test_work_ends_with_its_block() -> None:
    begun, ended = asyncio.Event(), asyncio.Event()

    async def work() -> None:
        begun.set()
        try:
            await asyncio.sleep(3600)
        finally:
            ended.set()

    async with asyncio.timeout(30), beside(work(), without_it="nothing is done"):
        await begun.wait()
    assert ended.is_set()


async def test_a_bug_of_the_work_is_told_and_the_block_goes_on(caplog: pytest.LogCaptureFixture) -> None:
    async def work() -> None:
        raise ZeroDivisionError("broken")

    with caplog.at_level(logging.ERROR):
        async with asyncio.timeout(30), beside(work(), without_it="keys are no longer renewed"):
            while not caplog.records:
                await asyncio.sleep(0.01)
    [record] = caplog.records
    assert record.getMessage() == "keys are no longer renewed: restart this process"
    assert record.exc_info is not None and record.exc_info[0] is ZeroDivisionError


async def test_an_error_of_the_block_is_the_blocks() -> None:
    with pytest.raises(RuntimeError, match="block"):
        async with beside(asyncio.sleep(3600), without_it="nothing is done"):
            raise RuntimeError("block")
