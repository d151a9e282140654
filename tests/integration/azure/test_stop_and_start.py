"""A cluster that is stopped and started through ARM: long-running operations, refused writes, nodes that come back."""

from typing import Any

import pytest
from azure.core.exceptions import ResourceExistsError

from deploy.local.azure.identity import Identity
from deploy.local.cluster import owner_client
from deploy.local.layout import Layout

SCOPE = (Identity().group, Identity().cluster)
# Until the test says that they are over.
SLOWLY = {"stop_seconds": 600, "start_seconds": 600}


async def test_a_stop_ends_the_nodes_and_a_start_brings_them_back(
    new_emulator: Any, shared_api_server: Layout, pools: Any
) -> None:
    arm = new_emulator("--nodes", "simulated", "--kubeconfig", str(shared_api_server.admin_kubeconfig))
    async with arm.azure() as client:
        mine = type(pools)(client)
        await mine.create("nightly", count=2)
        before = _nodes(shared_api_server)
        await (await client.managed_clusters.begin_stop(*SCOPE)).result()
        stopped, pool = await mine.cluster(), await mine.get("nightly")
        assert (stopped.power_state.code, stopped.provisioning_state) == ("Stopped", "Succeeded")
        assert (pool.power_state.code, pool.provisioning_state) == ("Stopped", "Succeeded")
        assert (len(before), _nodes(shared_api_server)) == (2, [])
        with pytest.raises(ResourceExistsError, match="not currently running"):
            await client.managed_clusters.begin_stop(*SCOPE)
        arm.kill()
        arm.start()  # which must not bring back what is switched off
        with pytest.raises(ResourceExistsError, match="Stopped"):
            await mine.begin_delete("nightly")
        await (await client.managed_clusters.begin_start(*SCOPE)).result()
        started = await mine.cluster()
        assert (started.power_state.code, started.provisioning_state) == ("Running", "Succeeded")
        assert _nodes(shared_api_server) == before
        await mine.delete("nightly")
    assert _nodes(shared_api_server) == []


async def test_a_cluster_at_work_is_not_stopped_and_one_that_stops_takes_no_writes(
    emulator: Any, pools: Any, control: Any
) -> None:
    control.change_settings(**SLOWLY)
    control.add_fault("slow-operation", pool="slow", seconds=600, times=1)
    buying = await pools.create("slow", wait=False)
    with pytest.raises(ResourceExistsError, match=r"\(create\) is in progress on agent pool \(slow\)"):
        await pools.client.managed_clusters.begin_stop(*SCOPE)
    control.hasten_operations()
    await buying.result()
    stopping = await pools.client.managed_clusters.begin_stop(*SCOPE)
    assert (await pools.cluster()).provisioning_state == "Stopping"
    with pytest.raises(ResourceExistsError, match="Stopping"):
        await pools.begin("other")
    control.hasten_operations()
    await stopping.result()
    control.start_cluster()
    with pytest.raises(ResourceExistsError, match=r"Provisioning State\(Starting\) and Power State\(Running\)"):
        await pools.client.managed_clusters.begin_start(*SCOPE)


def _nodes(layout: Layout) -> list[str]:
    found = owner_client.read(layout, "/api/v1/nodes?labelSelector=agentpool%3Dnightly")
    assert found is not None
    return sorted(node["metadata"]["name"] for node in found["items"])
