"""The admin endpoints over a real Temporal server: lists, views, updates, and how each refusal is reported."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from temporalio.worker import Worker

from activities.contract import signatures as s
from activities.contract.failures import failure
from admin.access.identity import Everybody
from admin.app import admin_application
from testing.deadlines import PATIENCE_S
from testing.workflow_tasks import faults_of
from tests.workflows.conftest import Bench
from workflows.sweep.workflow import SweepWorkflow

OURS = {"X-Modelyard-Request": "1"}
"""What no page of another site can send."""


@pytest.fixture
async def http(live_bench: Bench) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(app=admin_application(live_bench.client, Everybody(), {"admin"}))
    async with httpx.AsyncClient(transport=transport, base_url="http://admin", headers=OURS) as client:
        yield client


async def test_a_workspace_is_listed_and_viewed(live_bench: Bench, http: httpx.AsyncClient) -> None:
    await live_bench.signal()
    await live_bench.settled()
    view = (await http.get(f"/workspaces/default/{live_bench.name}")).raise_for_status().json()
    assert (view["phase"], view["nodes"], view["price_per_hour"]) == ("Ready", ["node-1"], 3.67)
    assert {step["outcome"] for step in view["steps"]} == {"done"}
    lines: dict[str, Any] = {}
    async with asyncio.timeout(PATIENCE_S):
        while live_bench.name not in lines:  # the search index follows a moment later
            found = (await http.get("/workspaces", params={"phase": "Ready"})).raise_for_status().json()
            lines = {line["name"]: line for line in found}
            await live_bench.env.sleep(0.1)
    line = lines[live_bench.name]
    assert (line["preset"], line["generation"]) == ("org/model", 1)


async def test_updates_reach_the_workflow_and_refusals_are_409(live_bench: Bench, http: httpx.AsyncClient) -> None:
    await live_bench.signal()
    await live_bench.settled()
    at = f"/workspaces/default/{live_bench.name}"
    assert "paused" in (await http.post(f"{at}/pause")).raise_for_status().json()["message"]
    assert (await live_bench.progress()).control.paused
    assert (await http.post(f"{at}/resume")).status_code == 200
    refused = await http.post(f"{at}/resume")
    assert (refused.status_code, refused.json()["detail"]) == (409, "the Workspace is not paused")
    assert (await http.put(f"{at}/deadline", json={"serving": 7200})).status_code == 200
    assert (await live_bench.progress()).control.extra_time == {"serving": 7200}
    assert (await http.put(f"{at}/deadline", json={})).status_code == 409
    assert (await http.post(f"{at}/force-cleanup")).status_code == 409


async def test_a_repeated_request_with_one_key_is_one_update(live_bench: Bench, http: httpx.AsyncClient) -> None:
    live_bench.world.fail_next(s.ENSURE_NODE_POOL, failure("QuotaExceeded", "0 of 24 left"))
    await live_bench.signal()
    await live_bench.settled("failed")
    at = f"/workspaces/default/{live_bench.name}/retry"
    for _ in range(3):
        assert (await http.post(at, headers={"Idempotency-Key": "once"})).status_code == 200
    await live_bench.settled()
    assert live_bench.world.calls["ensure_node_pool"] == 2


async def test_a_missing_workspace_is_404_and_an_invalid_body_422(http: httpx.AsyncClient) -> None:
    assert (await http.get("/workspaces/default/nobody")).status_code == 404
    assert (await http.post("/workspaces/default/nobody/pause")).status_code == 404
    assert (await http.get("/workspaces", params={"phase": "Sleeping"})).status_code == 422


async def test_health_answers_and_metrics_are_elsewhere(http: httpx.AsyncClient) -> None:
    assert (await http.get("/healthz")).json() == {"status": "alive"}
    assert (await http.get("/readyz")).status_code == 200
    assert (await http.get("/metrics")).status_code == 404


async def test_a_list_can_be_of_one_namespace(live_bench: Bench, http: httpx.AsyncClient) -> None:
    await live_bench.signal()
    await live_bench.settled()
    async with asyncio.timeout(PATIENCE_S):
        while live_bench.name not in await listed(http, "default"):
            await live_bench.env.sleep(0.1)
    assert await listed(http, "def") == await listed(http, "default-2") == set()


async def listed(http: httpx.AsyncClient, namespace: str) -> set[str]:
    found = (await http.get("/workspaces", params={"namespace": namespace})).raise_for_status().json()
    return {line["name"] for line in found}


async def test_a_workflow_whose_task_fails_is_reported_with_the_place_of_its_cause(
    live_bench: Bench, http: httpx.AsyncClient
) -> None:
    at = f"/workspaces/default/{live_bench.name}"
    queue = f"failing-{live_bench.name}"
    async with Worker(live_bench.client, task_queue=queue, workflows=[SweepWorkflow]):
        handle = await live_bench.client.start_workflow(
            "Workspace", {}, id=f"workspace/default/{live_bench.name}", task_queue=queue
        )
        try:
            async with asyncio.timeout(PATIENCE_S):
                while (await handle.describe()).raw_description.pending_workflow_task.attempt < 3:
                    await live_bench.env.sleep(0.1)
            response = await http.get(at)
            assert response.status_code == 503
            assert "WorkflowTaskFailed" in response.json()["detail"]
            refused = await http.post(f"{at}/pause")
            assert (refused.status_code, refused.json()["detail"][:27]) == (503, "the workflow's task fails a")
            assert "Workspace" in (await faults_of(live_bench.client, handle.id))[0]
        finally:
            await handle.terminate("the test has ended")
