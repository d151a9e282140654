"""Purchases of several processes at the same moment, at a list that all of them read: too much never stays."""

import asyncio
from collections.abc import Sequence
from itertools import permutations

import pytest
from temporalio.exceptions import ApplicationError

from activities.nodes.allowance import Allowance
from api.policy.document import Policy
from api.policy.purchases import Purchase
from api.policy.reading import parse_policy

TWO = parse_policy("defaults: {nodes: 2, dollarsPerHour: unlimited}")


def nodes(name: str, count: int = 2, **changes: bool) -> Purchase:
    return Purchase("small", name, "aks", "Standard_NC24ads_A100_v4", count, 3.673, **changes)


class Cloud:
    """What was accepted. Each process has an allowance of its own."""

    def __init__(self, *there: Purchase) -> None:
        self.there = {each.name: each for each in there}

    async def read(self, since: float) -> Sequence[Purchase]:
        await asyncio.sleep(0)
        return list(self.there.values())

    def process(self, policy: Policy = TWO) -> Allowance:
        return Allowance(lambda: policy, "eastus", self.read, yield_s=3, poll_s=0.01)

    async def accepted(self, process: Allowance, wanted: Purchase) -> str:
        """As a provider does when ARM has accepted."""
        self.there[wanted.name] = Purchase(**{**wanted.__dict__, "under_way": True})
        if excess := await process.excess(wanted):
            del self.there[wanted.name]
        return excess


@pytest.mark.parametrize("order", [*permutations("abc")])
async def test_whoever_is_accepted_in_whatever_order_too_much_never_stays(order: tuple[str, ...]) -> None:
    cloud = Cloud()
    said = await asyncio.gather(*(cloud.accepted(cloud.process(), nodes(name)) for name in order))
    assert sum(each.nodes for each in cloud.there.values()) <= 2
    assert list(cloud.there) == ["a"] and sum(not each for each in said) == 1, "the first by name stays"


async def test_one_that_is_accepted_late_gives_back_what_does_not_fit() -> None:
    cloud = Cloud()
    assert await cloud.accepted(cloud.process(), nodes("b")) == ""
    assert "may have 2 nodes" in await cloud.accepted(cloud.process(), nodes("a"))
    assert list(cloud.there) == ["b"]


async def test_what_runs_is_never_asked_to_leave() -> None:
    cloud = Cloud(nodes("z"))
    assert await cloud.accepted(cloud.process(), nodes("a")) != ""
    assert list(cloud.there) == ["z"]


async def test_a_purchase_under_way_counts_until_its_block_ends() -> None:
    process = Cloud().process()
    async with process.buying(nodes("a")):
        with pytest.raises(ApplicationError, match="may have 2 nodes"):
            async with process.buying(nodes("b")):
                raise AssertionError("bought")
    async with process.buying(nodes("b")):
        pass


async def test_without_limits_nobody_is_asked() -> None:
    cloud = Cloud(nodes("z", 1000))
    unlimited = "{nodes: unlimited, dollarsPerHour: unlimited}"
    policy = parse_policy(f"installation: {unlimited}\ndefaults: {unlimited}")

    async def read(since: float) -> Sequence[Purchase]:
        raise AssertionError("asked")

    process = Allowance(lambda: policy, "", read)
    async with process.buying(nodes("a", 1000)):
        assert await process.excess(nodes("a", 1000)) == ""
    assert cloud.there
