"""What a tenant who may write Deployments in a namespace of its own can do to the Workspaces of others: nothing."""

import asyncio
from datetime import timedelta
from typing import Final

import pytest
from temporalio.service import RPCError, RPCStatusCode

from activities.clients.kubernetes import Object
from activities.contract import queues
from activities.contract.payloads import WorkspaceKey
from api import labels, names
from testing.deadlines import PATIENCE_S
from testing.leftovers import pools, purchases
from testing.stack import Stack
from testing.workspaces import LOOK_S, NAMESPACE, Workspaces, workspace
from workflows.messages import SIGNAL_CHANGED, Changed, WorkspaceInput
from workflows.workspace import WorkspaceWorkflow

TENANT: Final = "tenant-a"
NAMED: Final = ("ghost", "victim")


def forged(name: str, uid: str, namespace: str) -> Object:
    """A Deployment that says it is the Workspace's of this name, in labels and as its owner."""
    own = {labels.WORKSPACE: name, labels.WORKSPACE_NAMESPACE: namespace, labels.WORKSPACE_UID: uid}
    owner = {"apiVersion": labels.V1BETA1, "kind": labels.KIND, "name": name, "uid": uid, "controller": True}
    container = {"name": "c", "image": "registry.example.com/none:1"}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": f"forged-{name}", "namespace": TENANT, "labels": own, "ownerReferences": [owner]},
        "spec": {
            "replicas": 0,
            "selector": {"matchLabels": {"app": name}},
            "template": {"metadata": {"labels": {"app": name}}, "spec": {"containers": [container]}},
        },
    }


async def looks_after_its_nodes(workspaces: Workspaces, name: str) -> int:
    """How often a workflow has looked at the health of what it runs."""
    history = await workspaces.handle(name).fetch_history()
    events = (event.activity_task_scheduled_event_attributes for event in history.events)
    return sum(event.activity_type.name == "read_health" for event in events)


async def has_a_workflow(workspaces: Workspaces, namespace: str, name: str) -> bool:
    try:
        await workspaces.client.get_workflow_handle(names.workflow_id(namespace, name)).describe()
    except RPCError as error:
        if error.status is RPCStatusCode.NOT_FOUND:
            return False
        raise
    return True


@pytest.mark.parametrize("with_owner", [True, False])
async def test_a_forged_deployment_starts_no_workflow_and_deletes_nothing(
    stack: Stack, workspaces: Workspaces, with_owner: bool
) -> None:
    uids = await workspaces.create(workspace("victim"), workspace("witness"))
    await workspaces.until_ready("victim", "witness")
    pool = names.pool_name(uids["victim"])
    await ensure_namespace(workspaces)
    for name in NAMED:
        body = forged(name, uids["victim"], TENANT if name == "ghost" else NAMESPACE)
        if not with_owner:  # the garbage collector deletes what has an owner of another namespace, with an event, too
            del body["metadata"]["ownerReferences"]
        await workspaces.cluster.create("Deployment", body)
        await until_observed(workspaces, f"forged-{name}")
        await workspaces.cluster.merge("Deployment", f"forged-{name}", TENANT, {"spec": {"replicas": 1}})
    # The watcher gets events of Deployments in their order: when it has told of this one, it has seen the forged ones.
    before = await looks_after_its_nodes(workspaces, "witness")
    victims = await looks_after_its_nodes(workspaces, "victim")
    await workspaces.cluster.merge("Deployment", "witness", NAMESPACE, {"spec": {"replicas": 2}})
    async with asyncio.timeout(PATIENCE_S):
        while await looks_after_its_nodes(workspaces, "witness") == before:
            await asyncio.sleep(LOOK_S)
    assert not await has_a_workflow(workspaces, TENANT, "ghost")
    assert await looks_after_its_nodes(workspaces, "victim") == victims
    assert pool in pools(stack) and purchases(stack, pool) == 1
    for name in NAMED:
        await workspaces.cluster.delete("Deployment", f"forged-{name}", TENANT)


async def test_a_workflow_of_a_name_that_never_was_deletes_nothing_of_the_uid_it_was_given(
    stack: Stack, workspaces: Workspaces
) -> None:
    """As whoever reaches Temporal may start one, or an older watcher."""
    uid = (await workspaces.create(workspace("victim")))["victim"]
    await workspaces.until_ready("victim")
    stack.arm.reset_calls()
    ghost = WorkspaceKey(namespace=TENANT, name="ghost", uid=uid)
    left = await workspaces.client.execute_workflow(
        WorkspaceWorkflow.run,
        WorkspaceInput(key=ghost),
        id=names.workflow_id(TENANT, "ghost"),
        task_queue=queues.WORKSPACES,
        start_signal=SIGNAL_CHANGED,
        start_signal_args=[Changed(uid=uid, generation=0, resync=True)],
        execution_timeout=timedelta(seconds=PATIENCE_S),
    )
    assert left == []
    pool = names.pool_name(uid)
    assert pool in pools(stack) and purchases(stack, pool) == 1
    assert not any(call.startswith("DELETE") for call in stack.arm.calls())
    await workspaces.until_ready("victim")


async def until_observed(workspaces: Workspaces, name: str) -> None:
    """Until it counts as healthy, or is gone: only what was healthy can become unhealthy."""
    async with asyncio.timeout(PATIENCE_S):
        while (found := await workspaces.cluster.get("Deployment", name, TENANT)) is not None:
            if (found.get("status") or {}).get("observedGeneration"):
                return
            await asyncio.sleep(LOOK_S)


async def ensure_namespace(workspaces: Workspaces) -> None:
    namespaces = "/api/v1/namespaces"
    found = await workspaces.cluster.request("GET", namespaces)
    if TENANT not in {item["metadata"]["name"] for item in found["items"]}:
        await workspaces.cluster.request("POST", namespaces, body={"metadata": {"name": TENANT}})
