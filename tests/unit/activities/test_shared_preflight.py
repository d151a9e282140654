"""What many Workspaces ask of Azure before they buy is asked once; what is old never refuses one of them."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from types import SimpleNamespace as Thing
from typing import Any

import pytest
from azure.core.exceptions import HttpResponseError, ResourceNotFoundError
from azure.mgmt.containerservice.models import AgentPool

from activities.clients.azure import Azure, AzureSettings, connect
from activities.contract.plan import Check, Plan
from activities.nodes.aks.agent_pool_spec import pool_of
from activities.preflight.azure import PreflightChecks
from api.preflight import CheckName
from tests.builders import a_key, a_plan

SIZE, FAMILY = "Standard_NC24ads_A100_v4", "StandardNCADSA100v4Family"
ALL_PASSED = dict.fromkeys((CheckName.SKU_OFFERED, CheckName.VCPU_QUOTA, CheckName.POOL_LIMIT), "passed")


class Region:
    """What Azure lists, and how often it was asked. `answers` can be closed; `refuses` fails the next questions."""

    def __init__(self) -> None:
        self.asked: Counter[str] = Counter()
        self.answers = asyncio.Event()
        self.answers.set()
        self.refuses: Counter[str] = Counter()
        self.pools: list[AgentPool] = []
        self.sizes = [SIZE]
        self.used = 0
        clients: Any = Thing(
            agent_pools=Thing(get=self._get),
            managed_clusters=Thing(get=self._cluster),
            usage=Thing(list=lambda location: self._listed("usages")),
            resource_skus=Thing(list=lambda filter: self._listed("sizes")),
        )
        settings = AzureSettings(resource_group="group", cluster="cluster", location="eastus", pools_per_cluster=2)
        self.checks = PreflightChecks(Azure(clients, clients, settings))

    async def _listed(self, what: str) -> AsyncIterator[Any]:
        self.asked[what] += 1
        await self.answers.wait()
        if self.refuses[what]:
            self.refuses[what] -= 1
            raise HttpResponseError(f"no {what} now")
        usages = [Thing(name=Thing(value=name), current_value=self.used, limit=48) for name in (FAMILY, "cores")]
        sizes = [
            Thing(resource_type="virtualMachines", name=name, location_info=[], restrictions=[]) for name in self.sizes
        ]
        listed: dict[str, list[Any]] = {"pools": self.pools, "usages": usages, "sizes": sizes}
        for one in listed[what]:
            yield one

    async def _cluster(self, group: str, cluster: str) -> Any:
        found = [pool async for pool in self._listed("pools")]
        return Thing(agent_pool_profiles=[Thing(name=pool.name) for pool in found])

    async def _get(self, group: str, cluster: str, name: str) -> AgentPool:
        self.asked["own pool"] += 1
        for pool in self.pools:
            if pool.name == name:
                return pool
        raise ResourceNotFoundError(f"no agent pool {name}")

    async def checked(self, name: str = "one") -> dict[str, Check]:
        return {check.name: check for check in (await self.checks.read_preflight(plan_of(name))).checks}


def plan_of(name: str) -> Plan:
    return a_plan(a_key(name), pool_name=name, instance_type=SIZE, vcpus_per_node=24, vcpu_family=FAMILY)


def a_pool(name: str) -> AgentPool:
    pool = pool_of(plan_of(name))
    pool.name = name
    return pool


def outcomes(checks: dict[str, Check]) -> dict[str, str]:
    return {name: check.outcome for name, check in checks.items()}


@pytest.fixture
async def region() -> Region:
    return Region()


async def test_a_crowd_asks_azure_once(region: Region) -> None:
    crowd = await asyncio.gather(*(region.checked(f"w{number}") for number in range(50)))
    assert all(outcomes(checks) == ALL_PASSED for checks in crowd)
    assert region.asked == {"pools": 1, "usages": 1, "sizes": 1, "own pool": 50}


async def test_one_of_a_crowd_that_is_cancelled_leaves_the_others_their_answer(region: Region) -> None:
    region.answers.clear()
    first, *others = [asyncio.create_task(region.checked(f"w{number}")) for number in range(5)]
    while region.asked["usages"] + region.asked["pools"] + region.asked["sizes"] < 3:
        await asyncio.sleep(0)
    first.cancel()
    await asyncio.gather(first, return_exceptions=True)
    region.answers.set()
    assert all(outcomes(checks) == ALL_PASSED for checks in await asyncio.gather(*others))
    assert first.cancelled() and [region.asked[what] for what in ("pools", "usages", "sizes")] == [1, 1, 1]


@pytest.mark.parametrize(
    ("check", "before", "after"),
    [
        pytest.param(CheckName.VCPU_QUOTA, {"used": 48}, {"used": 0}, id="quota was raised"),
        pytest.param(CheckName.VCPU_QUOTA, {"used": 48}, {"pools": [a_pool("one")]}, id="the pool is bought by now"),
        pytest.param(CheckName.SKU_OFFERED, {"sizes": []}, {"sizes": [SIZE]}, id="the size is sold by now"),
        pytest.param(
            CheckName.POOL_LIMIT, {"pools": [a_pool("a"), a_pool("b")]}, {"pools": [a_pool("a")]}, id="a pool has gone"
        ),
    ],
)
async def test_an_old_answer_fails_no_check(
    region: Region, check: CheckName, before: dict[str, Any], after: dict[str, Any]
) -> None:
    vars(region).update(before)
    assert outcomes(await region.checked())[check] == "failed"
    vars(region).update(after)
    assert outcomes(await region.checked()) == ALL_PASSED


async def test_a_fresh_no_is_not_asked_twice(region: Region) -> None:
    region.used = 48
    found = await region.checked()
    assert found[CheckName.VCPU_QUOTA].reason == "QuotaExceeded"
    assert region.asked == {"pools": 1, "usages": 1, "sizes": 1, "own pool": 1}


async def test_a_failed_question_is_unknown_for_who_asked_and_asked_again_by_the_next(region: Region) -> None:
    region.refuses["usages"] = 1
    crowd = await asyncio.gather(*(region.checked(f"w{number}") for number in range(5)))
    assert {checks[CheckName.VCPU_QUOTA].outcome for checks in crowd} == {"unknown"}
    assert outcomes(await region.checked()) == ALL_PASSED
    assert region.asked["usages"] == 2


async def test_an_endpoint_of_azure_that_does_not_exist_is_a_no(tmp_path: Path) -> None:
    """Through the SDK's own transport; a name below .invalid exists nowhere."""
    (tmp_path / "token").write_text("token")
    settings = AzureSettings(
        endpoint="https://management.invalid",
        credential=f"token-file:{tmp_path / 'token'}",
        location="eastus",
        subscription_id="s",
        resource_group="g",
        cluster="c",
    )
    async with AsyncExitStack() as stack:
        checks = PreflightChecks(await connect(settings, stack))
        found = {check.name: check for check in (await checks.read_preflight(plan_of("one"))).checks}
    for check in (found[CheckName.VCPU_QUOTA], found[CheckName.SKU_OFFERED]):
        assert (check.outcome, check.reason) == ("failed", "HostNotFound") and "management.invalid" in check.message
