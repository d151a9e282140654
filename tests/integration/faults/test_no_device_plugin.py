"""A cluster whose nodes would offer no GPUs: nothing is bought, the fix is named, and with it everything goes on."""

import asyncio

from api import names
from deploy.local.cluster.kubectl import kubectl
from deploy.local.nodes.gpu_plugin import NAME, NAMESPACE, ensure_gpu_plugin
from testing.leftovers import pools, purchases
from testing.stack import Stack
from testing.workspaces import Workspaces, is_failed, status_of, workspace
from tests.integration.faults.test_node_trouble import create_with_short_deadlines


async def test_without_a_device_plugin_nothing_is_bought_and_with_it_a_workspace_goes_on(
    stack: Stack, workspaces: Workspaces
) -> None:
    config = stack.layout.admin_kubeconfig
    await asyncio.to_thread(kubectl, config, "-n", NAMESPACE, "delete", "daemonset", NAME, "--wait")
    try:
        uids = await workspaces.create(workspace("without-plugin"))
        seen = await workspaces.until(["without-plugin"], lambda one: status_of(one).get("reason") == "GpusNotOffered")
        status = status_of(seen["without-plugin"])
        assert status["phase"] == "Preflight" and "devicePlugin.enabled" in status["message"]
        assert pools(stack) == []
    finally:
        await asyncio.to_thread(ensure_gpu_plugin, stack.layout, "simulated")
    await workspaces.until_ready("without-plugin")
    assert await asyncio.to_thread(purchases, stack, names.pool_name(uids["without-plugin"])) == 1


async def test_a_node_that_no_device_plugin_runs_on_is_bought_once(stack: Stack, workspaces: Workspaces) -> None:
    """NVIDIA's plugin selects a label that nobody sets where GPU feature discovery is not installed."""
    config = stack.layout.admin_kubeconfig
    pinned = '{"spec": {"template": {"spec": {"nodeSelector": {"nvidia.com/gpu.present": "true"}}}}}'
    await asyncio.to_thread(kubectl, config, "-n", NAMESPACE, "patch", "daemonset", NAME, "--patch", pinned)
    try:
        slow = {"kind": "slow-operation", "seconds": 0.1, "times": 1}
        uids = await create_with_short_deadlines(stack, workspaces, {"never-labelled": slow})
        # It has failed before, so that its deadline is short.
        once_more = workspaces.until(
            ["never-labelled"], lambda one: is_failed(one) and status_of(one)["reason"] != "SkuNotAvailable"
        )
        status = status_of((await once_more)["never-labelled"])
        assert status["reason"] == "GpusNotOffered" and "no device plugin runs on aks-" in status["message"]
        assert await asyncio.to_thread(purchases, stack, names.pool_name(uids["never-labelled"])) == 1
        assert pools(stack) == []
    finally:
        await asyncio.to_thread(kubectl, config, "-n", NAMESPACE, "delete", "daemonset", NAME, "--wait")
        await asyncio.to_thread(ensure_gpu_plugin, stack.layout, "simulated")
