"""Many ask one question: it is sent once, nobody's leaving or failing spoils it for others, and old answers expire."""

import asyncio

import pytest

from activities.clients.shared_answer import SharedAnswer

KEPT_S = 5.0


class Source:
    """Answers with the number of the question, as soon as the test lets it."""

    def __init__(self) -> None:
        self.asked = 0
        self.time = 100.0
        self.open = asyncio.Event()
        self.fails: set[int] = set()
        self.shared = SharedAnswer(self._ask, kept_s=KEPT_S, now=lambda: self.time)

    async def _ask(self) -> int:
        self.asked += 1
        number = self.asked
        await self.open.wait()
        if number in self.fails:
            raise ValueError(f"question {number} failed")
        return number

    async def crowd(self, size: int = 20) -> list[asyncio.Task[int]]:
        """Everybody has asked, nobody has an answer."""
        asking = [asyncio.create_task(self.shared.get()) for _ in range(size)]
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        return asking


async def test_a_crowd_asks_once() -> None:
    source = Source()
    crowd = await source.crowd()
    source.open.set()
    assert set(await asyncio.gather(*crowd)) == {1}
    assert await source.shared.get() == 1
    assert source.asked == 1


async def test_an_answer_serves_for_its_age_counted_from_the_question() -> None:
    source = Source()
    crowd = await source.crowd()
    source.time += KEPT_S - 1  # the answer takes this long
    source.open.set()
    await asyncio.gather(*crowd)
    source.time += 1
    assert await source.shared.get() == 1
    source.time += 0.1
    assert await source.shared.get() == 2


async def test_who_needs_a_fresh_answer_gets_one_whose_question_was_sent_after() -> None:
    source = Source()
    source.open.set()
    assert await source.shared.get() == 1
    source.time += 1
    fresh = [source.shared.get(not_before=source.shared.now()) for _ in range(20)]
    assert set(await asyncio.gather(*fresh)) == {2}
    assert await source.shared.get() == 2


async def test_a_fresh_answer_is_not_taken_from_a_question_that_was_under_way() -> None:
    source = Source()
    crowd = await source.crowd(1)
    source.time += 1
    fresh = asyncio.create_task(source.shared.get(not_before=source.time))
    await asyncio.sleep(0)
    source.open.set()
    assert (await crowd[0], await fresh) == (1, 2)
    assert await source.shared.get() == 2, "the newer question's answer is kept, whichever came last"


async def test_one_who_leaves_does_not_end_it_for_the_others() -> None:
    source = Source()
    first, *others = await source.crowd()
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    source.open.set()
    assert set(await asyncio.gather(*others)) == {1}


async def test_a_question_that_everybody_left_is_still_answered_for_the_next() -> None:
    source = Source()
    crowd = await source.crowd()
    for one in crowd:
        one.cancel()
    await asyncio.gather(*crowd, return_exceptions=True)
    source.open.set()
    assert await source.shared.get() == 1


async def test_a_failure_reaches_all_who_wait_and_is_not_kept() -> None:
    source = Source()
    source.fails = {1}
    crowd = await source.crowd()
    source.open.set()
    failures = await asyncio.gather(*crowd, return_exceptions=True)
    assert {str(failure) for failure in failures} == {"question 1 failed"}
    assert await source.shared.get() == 2


async def test_a_failure_does_not_replace_an_answer_that_still_serves() -> None:
    source = Source()
    source.fails = {2}
    source.open.set()
    assert await source.shared.get() == 1
    source.time += 1
    with pytest.raises(ValueError, match="question 2"):
        await source.shared.get(not_before=source.time)
    assert await source.shared.get() == 1


async def test_what_is_known_is_told_without_asking() -> None:
    source = Source()
    source.open.set()
    assert source.shared.known(within_s=1e9) is None and source.asked == 0
    await source.shared.get()
    source.time += 60
    assert source.shared.known(within_s=61) == 1
    assert source.shared.known(within_s=59) is None
