"""The life of an agent pool through the unmodified Azure SDK: long-running operations, etags, refusals."""

import asyncio
from typing import Any

import pytest
from azure.core import MatchConditions
from azure.core.exceptions import HttpResponseError, ResourceExistsError, ResourceModifiedError, ResourceNotFoundError

UNTIL_HASTENED = {"create_seconds": 600, "delete_seconds": 600}
"""An operation is under way until the test says that it is over, however busy the machine is."""


async def test_a_pool_is_created_listed_and_deleted(pools: Any, control: Any) -> None:
    control.change_settings(**UNTIL_HASTENED)
    poller = await pools.begin("ws1", tags={"owner": "team-a"}, nodeTaints=["sku=gpu:NoSchedule"])
    assert (await pools.get("ws1")).provisioning_state == "Creating"
    control.hasten_operations()
    created = await poller.result()
    assert (created.provisioning_state, created.vm_size, created.count) == ("Succeeded", "Standard_NC24ads_A100_v4", 1)
    assert (created.tags, created.mode, created.node_taints) == ({"owner": "team-a"}, "User", ["sku=gpu:NoSchedule"])
    assert "ws1" in await pools.names()
    deleting = await pools.begin_delete("ws1")
    assert (await pools.get("ws1")).provisioning_state == "Deleting"
    control.hasten_operations()
    await deleting.result()
    assert "ws1" not in await pools.names()


async def test_a_pool_that_is_not_there_is_not_found_and_its_delete_is_done_at_once(pools: Any, error_of: Any) -> None:
    with pytest.raises(ResourceNotFoundError) as refused:
        await pools.get("missing")
    assert error_of(refused.value) == "NotFound"
    await pools.delete("missing")


async def test_the_cluster_lists_its_state_and_its_pools(pools: Any) -> None:
    cluster = await pools.cluster()
    assert (cluster.location, cluster.provisioning_state, cluster.power_state.code) == (
        "eastus",
        "Succeeded",
        "Running",
    )
    system = next(pool for pool in cluster.agent_pool_profiles if pool.name == "system")
    assert (system.mode, system.tags) == ("System", None)


async def test_the_system_pool_cannot_be_deleted(pools: Any, error_of: Any) -> None:
    with pytest.raises(HttpResponseError) as refused:
        await pools.delete("system")
    assert error_of(refused.value) == "MustDefineAtLeastOneSystemPool"


async def test_a_size_is_answered_in_azures_spelling(pools: Any) -> None:
    created = await pools.create("spelling", vmSize="standard_nc24ads_a100_V4")
    assert created.vm_size == "Standard_NC24ads_A100_v4"
    await pools.create("spelling", vmSize="STANDARD_NC24ADS_A100_V4")


async def test_a_pool_is_scaled(pools: Any, emulator: Any, control: Any) -> None:
    await pools.create("scaled", count=3)
    assert len(control.state()["pools"]["scaled"]["nodes"]) == 3
    updated = await pools.create("scaled", count=1)
    assert (updated.count, updated.provisioning_state) == (1, "Succeeded")
    assert control.state()["pools"]["scaled"]["nodes"][0].endswith("-vmss000000")
    await pools.create("scaled", count=2)
    # A number is never given out twice: the node of the earlier machine may still be remembered somewhere.
    assert control.state()["pools"]["scaled"]["nodes"][1].endswith("-vmss000003")


async def test_a_spot_pool_gets_azures_label_and_taint(pools: Any) -> None:
    created = await pools.create("spot", scaleSetPriority="Spot", nodeTaints=["sku=gpu:NoSchedule"])
    assert created.node_labels == {"kubernetes.azure.com/scalesetpriority": "spot"}
    assert created.node_taints == ["sku=gpu:NoSchedule", "kubernetes.azure.com/scalesetpriority=spot:NoSchedule"]
    assert (created.spot_max_price, created.scale_set_eviction_policy) == (-1.0, "Delete")


async def test_every_write_changes_the_etag_and_a_stale_one_is_refused(pools: Any, error_of: Any) -> None:
    first = await pools.create("etag")
    fresh = {"etag": first.e_tag, "match_condition": MatchConditions.IfNotModified}
    second = await (await pools.begin("etag", fresh, count=2)).result()
    assert second.e_tag != first.e_tag
    with pytest.raises(ResourceModifiedError) as refused:
        await pools.begin("etag", fresh, count=3)
    assert (refused.value.status_code, error_of(refused.value)) == (412, "PreconditionFailed")
    with pytest.raises(ResourceModifiedError):
        await pools.delete("etag", **fresh)


async def test_create_only_refuses_a_pool_that_is_there(pools: Any) -> None:
    only_new = {"match_condition": MatchConditions.IfMissing}
    await (await pools.begin("onlynew", only_new)).result()
    with pytest.raises(ResourceExistsError):
        await pools.begin("onlynew", only_new)


async def test_update_only_refuses_a_pool_that_is_not_there(pools: Any, error_of: Any) -> None:
    with pytest.raises(ResourceNotFoundError) as refused:
        await pools.begin("onlyold", {"match_condition": MatchConditions.IfPresent})
    assert error_of(refused.value) == "PreconditionFailed"


async def test_a_pool_that_is_being_created_is_busy(pools: Any, control: Any, error_of: Any) -> None:
    control.change_settings(**UNTIL_HASTENED)
    poller = await pools.begin("busy")
    for refused_call in (pools.begin("busy", count=2), pools.begin_delete("busy")):
        with pytest.raises(ResourceExistsError, match="in progress create node pool operation") as refused:
            await refused_call
        assert (refused.value.status_code, error_of(refused.value)) == (409, "OperationNotAllowed")
    control.hasten_operations()
    await poller.result()


async def test_another_pool_is_busy_too_where_the_cluster_serialises(pools: Any, control: Any) -> None:
    first, second = await asyncio.gather(pools.begin("side1"), pools.begin("side2"))
    await asyncio.gather(first.result(), second.result())
    control.change_settings(serialise_pools=True, **UNTIL_HASTENED)
    poller = await pools.begin("alone1")
    with pytest.raises(ResourceExistsError, match="alone1"):
        await pools.begin("alone2")
    control.hasten_operations()
    await poller.result()


async def test_a_second_delete_joins_the_first(pools: Any, control: Any) -> None:
    await pools.create("twice")
    control.change_settings(**UNTIL_HASTENED)
    first = await pools.begin_delete("twice")
    second = await pools.begin_delete("twice")
    control.hasten_operations()
    await asyncio.gather(first.result(), second.result())
    assert "twice" not in await pools.names()


async def test_an_aborted_create_is_canceled_and_the_pool_can_be_deleted(
    pools: Any, control: Any, error_of: Any
) -> None:
    control.change_settings(create_seconds=600)
    poller = await pools.begin("aborted")
    abort = await pools.client.agent_pools.begin_abort_latest_operation("modelyard", "local", "aborted")
    with pytest.raises(HttpResponseError) as failed:
        await poller.result()
    assert error_of(failed.value) == "Canceled"
    with pytest.raises(HttpResponseError):
        await abort.result()
    assert (await pools.get("aborted")).provisioning_state == "Canceled"
    await pools.delete("aborted")
    assert "aborted" not in await pools.names()


async def test_single_machines_can_be_deleted(pools: Any, control: Any) -> None:
    await pools.create("machines", count=2)
    gone = control.state()["pools"]["machines"]["nodes"][0]
    poller = await pools.client.agent_pools.begin_delete_machines(
        "modelyard", "local", "machines", {"machineNames": [gone]}
    )
    await poller.result()
    assert (await pools.get("machines")).count == 1
    assert gone not in control.state()["pools"]["machines"]["nodes"]


@pytest.mark.parametrize(
    ("name", "properties", "code"),
    [
        pytest.param("Upper", {}, "InvalidParameter", id="capital"),
        pytest.param("1first", {}, "InvalidParameter", id="digit-first"),
        pytest.param("thirteenchars", {}, "InvalidParameter", id="too-long"),
        pytest.param("count", {"count": 1001}, "InvalidParameter", id="too-many"),
        pytest.param("count", {"count": -1}, "InvalidParameter", id="negative"),
        pytest.param("system2", {"count": 0, "mode": "System"}, "InvalidParameter", id="empty-system-pool"),
        pytest.param("disk", {"osDiskSizeGB": 20}, "InvalidParameter", id="disk-too-small"),
        pytest.param("zone", {"availabilityZones": ["9"]}, "AvailabilityZoneNotSupported", id="zone"),
        pytest.param("size", {"vmSize": "Standard_Nothing"}, "BadRequest", id="unknown-size"),
        pytest.param("nosize", {"vmSize": None}, "InvalidParameter", id="no-size"),
        pytest.param(
            "label", {"nodeLabels": {"kubernetes.azure.com/mode": "x"}}, "InvalidParameter", id="reserved-label"
        ),
        pytest.param("label", {"nodeLabels": {"team": "a b"}}, "InvalidParameter", id="bad-label"),
        pytest.param("taint", {"nodeTaints": ["gpu"]}, "InvalidParameter", id="bad-taint"),
        pytest.param("tags", {"tags": {str(n): "" for n in range(51)}}, "InvalidParameter", id="too-many-tags"),
    ],
)
async def test_what_aks_would_refuse_is_refused(
    pools: Any, error_of: Any, name: str, properties: dict[str, Any], code: str
) -> None:
    with pytest.raises(HttpResponseError) as refused:
        await pools.begin(name, **properties)
    assert (refused.value.status_code, error_of(refused.value)) == (400, code)
    assert name not in await pools.names()


async def test_immutable_properties_of_a_pool_cannot_change(pools: Any, error_of: Any) -> None:
    await pools.create("lasting")
    with pytest.raises(HttpResponseError, match=r"properties\.vmSize") as refused:
        await pools.begin("lasting", vmSize="Standard_NC48ads_A100_v4")
    assert error_of(refused.value) == "PropertyChangeNotAllowed"


async def test_the_number_of_pools_is_limited(pools: Any, control: Any, error_of: Any) -> None:
    control.change_settings(pool_limit=len(await pools.names()))
    with pytest.raises(HttpResponseError, match="limit") as refused:
        await pools.begin("onemore")
    assert error_of(refused.value) == "MaxAgentPoolCountReached"


async def test_a_stopped_or_upgrading_cluster_takes_no_writes(pools: Any, control: Any, error_of: Any) -> None:
    control.change_cluster(power_state="Stopped")
    assert (await pools.cluster()).power_state.code == "Stopped"
    with pytest.raises(ResourceExistsError, match="Stopped") as refused:
        await pools.begin("stopped")
    assert error_of(refused.value) == "OperationNotAllowed"
    control.change_cluster(power_state="Running", provisioning_state="Upgrading")
    with pytest.raises(ResourceExistsError, match="Upgrading"):
        await pools.begin("stopped")
    control.change_cluster(provisioning_state="Succeeded")
    await pools.create("stopped")


async def test_other_clusters_and_groups_do_not_exist(emulator: Any, error_of: Any) -> None:
    async with emulator.azure() as client:
        for group, cluster, code in [
            ("modelyard", "other", "ResourceNotFound"),
            ("x", "local", "ResourceGroupNotFound"),
        ]:
            with pytest.raises(ResourceNotFoundError) as refused:
                await client.managed_clusters.get(group, cluster)
            assert error_of(refused.value) == code
