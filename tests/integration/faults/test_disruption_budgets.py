"""Whoever empties nodes takes one replica at a time; and no budget, ours or another's, holds a node that goes back."""

from activities.clients.kubernetes import Object
from api import names
from testing.stack import Stack
from testing.workspaces import NAMESPACE, Workspaces, workspace

PATHS = [f"/apis/policy/{version}/namespaces/{NAMESPACE}/poddisruptionbudgets" for version in ("v1", "v1beta1")]


async def budgets(workspaces: Workspaces) -> list[Object]:
    group = await workspaces.cluster.request("GET", "/apis/policy")
    served = {version["version"] for version in group["versions"]}
    path = next(path for path in PATHS if path.split("/")[3] in served)
    items: list[Object] = (await workspaces.cluster.request("GET", path))["items"]
    return items


async def test_replicas_have_a_budget_while_they_run_and_their_nodes_go_without_asking_it(
    stack: Stack, workspaces: Workspaces
) -> None:
    uids = await workspaces.create(workspace("two-replicas", replicas=2), workspace("one-replica"))
    await workspaces.until_ready(*uids)
    (found,) = await budgets(workspaces)
    assert found["metadata"]["name"] == names.disruption_budget("two-replicas")
    assert found["spec"]["maxUnavailable"] == 1

    await workspaces.delete(*uids)
    await workspaces.until_gone(*uids)
    assert await budgets(workspaces) == []
    pools = {names.pool_name(uid) for uid in uids.values()}
    releases = [
        one for one in stack.arm.state()["operations"].values() if one["kind"] == "delete" and one["pool"] in pools
    ]
    assert {one["pool"] for one in releases} == pools
    assert all(one["ignore_budgets"] for one in releases)
