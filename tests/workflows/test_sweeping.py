"""The sweeper acts on what two looks agree on, and its every act is on record."""

from uuid import uuid4

import pytest
from temporalio.client import WorkflowFailureError

from activities.contract import queues
from activities.contract import signatures as s
from activities.contract.failures import failure
from activities.contract.payloads import WorkspaceKey
from activities.contract.sweep import OwnedResource, WorkspaceRef
from api import names
from bench.lives.actions import actions_of
from bench.lives.budgets import SWEEP_ACTIONS
from tests.workflows.conftest import Bench
from workflows.sweep.workflow import SweepReport, SweepRequest, SweepWorkflow
from workflows.workspace import WorkspaceWorkflow

GONE = WorkspaceKey(namespace="default", name="gone", uid="uid-gone")
ORPHAN = OwnedResource(kind="node_pool", name=names.pool_name(GONE.uid), workspace=GONE)


async def sweep(bench: Bench, *, dry_run: bool = False, pause_s: int = 0) -> SweepReport:
    return await bench.client.execute_workflow(
        SweepWorkflow.run,
        SweepRequest(dry_run=dry_run, pause_s=pause_s),
        id=f"sweep-{uuid4().hex[:8]}",
        task_queue=queues.WORKSPACES,
    )


async def test_without_findings_there_is_one_scan_and_no_repair(live_bench: Bench) -> None:
    report = await sweep(live_bench)
    assert not report.found
    assert live_bench.world.calls["read_owned_pools"] == 1


async def test_a_sweep_that_finds_nothing_stays_within_its_budget_of_actions(live_bench: Bench) -> None:
    sweeping = f"sweep-{uuid4().hex[:8]}"
    await live_bench.client.execute_workflow(
        SweepWorkflow.run, SweepRequest(), id=sweeping, task_queue=queues.WORKSPACES
    )
    history = await live_bench.client.get_workflow_handle(sweeping).fetch_history()
    found = actions_of(history.events)
    assert found.total() <= SWEEP_ACTIONS.limit, found


async def test_an_orphaned_pool_is_deleted(live_bench: Bench) -> None:
    live_bench.world.inventory = [ORPHAN]
    report = await sweep(live_bench)
    assert report.found.orphans == (ORPHAN,) and not report.failed
    assert live_bench.world.inventory == []


async def test_a_dry_run_only_reports(live_bench: Bench) -> None:
    live_bench.world.inventory = [ORPHAN]
    assert (await sweep(live_bench, dry_run=True)).found.orphans == (ORPHAN,)
    assert live_bench.world.inventory == [ORPHAN]


async def test_a_failed_scan_changes_nothing(live_bench: Bench) -> None:
    live_bench.world.inventory = [ORPHAN]
    live_bench.world.fail_next(s.READ_POPULATION, failure("ApiServerRefused", "no"))
    with pytest.raises(WorkflowFailureError):
        await sweep(live_bench)
    assert live_bench.world.inventory == [ORPHAN]


async def test_what_the_second_scan_does_not_find_is_left_alone(live_bench: Bench) -> None:
    live_bench.world.inventory = [ORPHAN]
    gate = live_bench.world.block(s.READ_RUNS)
    gate.set()
    handle = await live_bench.client.start_workflow(
        SweepWorkflow.run, SweepRequest(pause_s=2), id=f"sweep-{uuid4().hex[:8]}", task_queue=queues.WORKSPACES
    )
    await live_bench.world.entered["read_runs"].wait()
    live_bench.world.population = [WorkspaceRef(key=GONE, generation=1)]
    live_bench.world.runs = [GONE]
    report = await handle.result()
    assert not report.found
    assert live_bench.world.inventory == [ORPHAN]


async def test_an_orphan_that_cannot_be_deleted_is_reported_with_its_reason(live_bench: Bench) -> None:
    live_bench.world.inventory = [ORPHAN]
    live_bench.world.fail_next(s.DELETE_NODE_POOL, failure("CloudForbidden", "no right to delete pools"))
    report = await sweep(live_bench)
    assert report.failed == {ORPHAN.name: "CloudForbidden: no right to delete pools"}


async def test_a_workspace_without_a_workflow_gets_one_that_brings_it_up(live_bench: Bench) -> None:
    key = WorkspaceKey(namespace="default", name=live_bench.name, uid=live_bench.world.uid)
    live_bench.world.population = [WorkspaceRef(key=key, generation=1)]
    report = await sweep(live_bench)
    assert [one.key for one in report.found.without_workflow] == [key]
    live_bench.handle = live_bench.client.get_workflow_handle_for(
        WorkspaceWorkflow.run, names.workflow_id(key.namespace, key.name)
    )
    assert (await live_bench.settled()).spec.observed == 1


async def test_a_workflow_whose_workspace_is_gone_finishes(live_bench: Bench) -> None:
    handle = await live_bench.signal()
    await live_bench.settled()
    live_bench.world.exists = False
    live_bench.world.runs = [WorkspaceKey(namespace="default", name=live_bench.name, uid=live_bench.world.uid)]
    report = await sweep(live_bench)
    assert len(report.found.without_workspace) == 1
    assert await handle.result() == []
    assert not live_bench.world.pools
