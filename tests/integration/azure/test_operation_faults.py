"""Faults that strike after a request was accepted: in its operation, or on the machines."""

import asyncio
import time
from collections.abc import Callable
from typing import Any

import pytest
from azure.core.exceptions import HttpResponseError

from testing.deadlines import PATIENCE_S


async def until(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not true():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.05)


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        pytest.param({"kind": "allocation-failed"}, "AllocationFailed", id="allocation"),
        pytest.param(
            {"kind": "allocation-failed", "variant": "overconstrained"}, "OverconstrainedAllocationRequest", id="strict"
        ),
        pytest.param({"kind": "zonal-allocation-failed"}, "ZonalAllocationFailed", id="zone"),
        pytest.param(
            {"kind": "zonal-allocation-failed", "variant": "overconstrained"},
            "OverconstrainedZonalAllocationRequest",
            id="strict-zone",
        ),
        pytest.param({"kind": "operation-failed"}, "InternalOperationError", id="internal"),
    ],
)
async def test_the_operation_fails_and_leaves_a_failed_pool_that_can_be_deleted(
    pools: Any, control: Any, error_of: Any, fault: dict[str, Any], code: str
) -> None:
    control.add_fault(**fault, times=1)
    poller = await pools.begin("failing")
    with pytest.raises(HttpResponseError) as failed:
        await poller.result()
    assert error_of(failed.value) == code
    assert (await pools.get("failing")).provisioning_state == "Failed"
    # AKS mends a failed pool when the same PUT comes again.
    assert (await pools.create("failing")).provisioning_state == "Succeeded"
    await pools.delete("failing")


async def test_a_preempted_operation_fails_over_its_etag(pools: Any, control: Any, error_of: Any) -> None:
    control.add_fault("etag-conflict", variant="late", times=1)
    poller = await pools.begin("preempted")
    with pytest.raises(HttpResponseError) as failed:
        await poller.result()
    assert error_of(failed.value) == "ResourceOperationFailure"
    parsed: Any = failed.value.error
    assert [detail.code for detail in parsed.details] == ["OriginalEtagNotExpect"]


async def test_a_delete_can_fail_and_the_pool_stays(pools: Any, control: Any) -> None:
    await pools.create("staying")
    control.add_fault("operation-failed", method="DELETE", times=1)
    with pytest.raises(HttpResponseError):
        await pools.delete("staying")
    assert (await pools.get("staying")).provisioning_state == "Failed"
    await pools.delete("staying")
    assert "staying" not in await pools.names()


async def test_a_slow_operation_takes_as_much_longer_as_was_asked(pools: Any, control: Any) -> None:
    control.add_fault("slow-operation", seconds=1.5, times=1)
    begun = time.monotonic()
    await pools.create("slow")
    assert time.monotonic() - begun >= 1.5


async def test_an_operation_that_failed_can_still_bring_its_nodes(pools: Any, control: Any) -> None:
    control.add_fault("fails-late", seconds=5, times=1)
    poller = await pools.begin("late")
    with pytest.raises(HttpResponseError):
        await poller.result()
    assert control.state()["pools"]["late"]["later"][0]["what"] == "arrive"
    await until(lambda: control.state()["pools"]["late"]["later"] == [])
    assert (await pools.get("late")).provisioning_state == "Failed"


async def test_machines_that_never_join_or_have_no_gpu_are_on_record(pools: Any, control: Any) -> None:
    control.add_fault("node-never-joins", nodes=1, pool="flawed", times=1)
    control.add_fault("node-without-gpu", nodes=2, pool="flawed", times=1)
    created = await pools.create("flawed", count=3)
    assert created.provisioning_state == "Succeeded"
    pool = control.state()["pools"]["flawed"]
    assert [pool["node_faults"].get(name) for name in pool["nodes"]] == [None, "no-gpu", "absent"]


async def test_machines_of_new_spot_pools_are_taken_back(pools: Any, control: Any) -> None:
    control.add_fault("spot-eviction", seconds=0.2, nodes=1)
    await pools.create("ondemand", count=2)
    await pools.create("spot", count=2, scaleSetPriority="Spot")
    await until(lambda: len(control.state()["pools"]["spot"]["nodes"]) == 1)
    assert len(control.state()["pools"]["ondemand"]["nodes"]) == 2
    # The pool still wants two: the next PUT brings a new machine.
    control.clear_faults()
    await pools.create("spot", count=2, scaleSetPriority="Spot")
    assert len(control.state()["pools"]["spot"]["nodes"]) == 2


async def test_machines_of_spot_pools_that_are_there_are_taken_back(pools: Any, control: Any) -> None:
    await pools.create("spotold", count=2, scaleSetPriority="Spot")
    control.add_fault("spot-eviction", seconds=0.1, pool="spotold", times=1)
    await until(lambda: control.state()["pools"]["spotold"]["nodes"] == [])
    assert (await pools.get("spotold")).provisioning_state == "Succeeded"
