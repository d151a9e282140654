"""What no record tells of is found by the sweeper: a pool left by a Workspace torn away, and one without a workflow."""

import asyncio
import json
import os
import sys
from typing import Any

from activities.clients.api_server.paths import path_of
from api import labels, names
from testing.checkouts import ROOT
from testing.deadlines import PATIENCE_S
from testing.faults.processes import frozen
from testing.leftovers import settled_leftovers
from testing.stack import Stack
from testing.workspaces import NAMESPACE, Workspaces, workspace


async def sweep(stack: Stack, *options: str) -> tuple[int, dict[str, Any]]:
    """Exit code and report of `modelyard sweep`."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "cli.main", "sweep", "--json", "--pause", "1", *options),
        cwd=ROOT,
        env={**os.environ, "MODELYARD_TEMPORAL_ADDRESS": stack.layout.temporal_address},
        stdout=asyncio.subprocess.PIPE,
    )
    async with asyncio.timeout(PATIENCE_S):
        out, _ = await process.communicate()
    assert process.returncode is not None
    return process.returncode, json.loads(out)


async def found_by_a_dry_run(stack: Stack, what: str) -> list[dict[str, Any]]:
    """Temporal's list of running workflows lags a little (the real pause is two minutes), so it is asked again."""
    async with asyncio.timeout(PATIENCE_S):
        while True:
            code, report = await sweep(stack, "--dry-run")
            assert code == any(report["found"].values()) and report["failed"] == {}
            if found := report["found"][what]:
                return list(found)
            await asyncio.sleep(0.5)


async def test_the_pool_of_a_workspace_that_was_torn_away_is_found_and_given_back(
    stack: Stack, workspaces: Workspaces
) -> None:
    uid = (await workspaces.create(workspace("torn")))["torn"]
    await workspaces.until_ready("torn")
    assert await sweep(stack) == (0, {"dry_run": False, "found": NOTHING, "failed": {}})
    async with frozen(stack, "watcher"):  # it would hear of the Deployment that goes, and a new workflow would clean up
        await tear_away(workspaces, "torn")
        assert [thing["name"] for thing in await found_by_a_dry_run(stack, "orphans")] == [names.pool_name(uid)]
        code, report = await sweep(stack)
    assert code == 1 and report["failed"] == {}
    assert await settled_leftovers(stack, workspaces) == {}
    assert (await sweep(stack))[0] == 0


async def test_a_workspace_whose_workflow_was_terminated_gets_another(stack: Stack, workspaces: Workspaces) -> None:
    await workspaces.create(workspace("unattended"))
    await workspaces.until_ready("unattended")
    await workspaces.handle("unattended").terminate("by a person")
    assert [one["key"]["name"] for one in await found_by_a_dry_run(stack, "without_workflow")] == ["unattended"]
    code, report = await sweep(stack)
    assert code == 1 and [one["key"]["name"] for one in report["found"]["without_workflow"]] == ["unattended"]
    async with asyncio.timeout(PATIENCE_S):
        while (state := await workspaces.progress("unattended")).status.settled != "ready":
            await asyncio.sleep(0.2)
    assert state.resources.holds("node_pool") and state.resources.holds("workload")


NOTHING: dict[str, Any] = {"orphans": [], "without_workflow": [], "without_workspace": []}


async def tear_away(workspaces: Workspaces, name: str) -> None:
    """As people do who are in a hurry: the workflow terminated, the finalizer edited away, the object deleted."""
    await workspaces.handle(name).terminate("by a person")
    found = await workspaces.get(name)
    assert found is not None and labels.WORKSPACE_FINALIZER in found["metadata"]["finalizers"]
    await workspaces.cluster.patch("Workspace", name, NAMESPACE, [{"op": "remove", "path": "/metadata/finalizers"}])
    # A delete in the foreground would leave the object there until its parts are gone.
    path = path_of("Workspace", NAMESPACE, name)
    await workspaces.cluster.request("DELETE", path, body={"propagationPolicy": "Background"})
    await workspaces.until_gone(name)
