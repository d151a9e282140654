"""Whoever reaches Temporal can run a workflow of their own; the operator's limits hold for its purchases, too.

A real Temporal server, the cloud worker as it runs in production, and the ARM emulator.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from temporalio import workflow
from temporalio.client import Client, WorkflowFailureError
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.exceptions import ActivityError, ApplicationError
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

from activities.clients import azure as azure_client
from activities.clients.azure import AzureSettings
from activities.contract import queues
from activities.contract.plan import Plan
from activities.errors.azure import azure_failure
from activities.nodes.aks.pool_options import AKS_DEFAULTS
from activities.nodes.aks.provider import AgentPools
from process.policy import PolicyFile
from tests.builders import a_key, a_plan
from tests.temporal_servers import dev_server
from worker.registration import Registration, worker_for

OWN_QUEUE = "attacker"
H100 = "Standard_NC40ads_H100_v5"
LIMITED = """
contact: the platform team
installation: {nodes: 4}
namespaces: [{namespaces: [small], rules: {machineTypes: ["Standard_NC*_A100_v4"], dollarsPerHour: 10}}]
"""
Attack = Callable[[Plan], Awaitable[str]]


@workflow.defn
class Attacker:
    """A workflow of somebody else's, which asks the cloud's queue for whatever it likes."""

    @workflow.run
    async def run(self, plan: dict[str, Any]) -> Any:
        return await workflow.execute_activity(
            "ensure_node_pool", plan, task_queue=queues.CLOUD, start_to_close_timeout=timedelta(minutes=5)
        )


@pytest.fixture(scope="module")
async def temporal() -> AsyncIterator[Client]:
    async with dev_server(data_converter=pydantic_data_converter) as environment:
        yield environment.client


@pytest.fixture
def policy(tmp_path: Path) -> Path:
    file = tmp_path / "policy.yaml"
    file.write_text(LIMITED)
    return file


@pytest.fixture
async def attack(temporal: Client, azure_settings: AzureSettings, policy: Path) -> AsyncIterator[Attack]:
    """Sends a plan straight to the queue; returns the reason of the refusal, empty if it was bought."""
    async with AsyncExitStack() as stack:
        for _ in range(2):  # two processes, as the chart runs them
            azure = await azure_client.connect(azure_settings, stack)
            pools = AgentPools(azure, AKS_DEFAULTS, PolicyFile(policy, look_s=0))
            registered = Registration(queues.CLOUD, [pools.ensure_node_pool], azure_failure)
            own = await Client.connect(
                temporal.service_client.config.target_host, data_converter=pydantic_data_converter
            )
            await stack.enter_async_context(worker_for(own, registered))
        await stack.enter_async_context(
            Worker(temporal, task_queue=OWN_QUEUE, workflows=[Attacker], workflow_runner=UnsandboxedWorkflowRunner())
        )

        async def send(plan: Plan) -> str:
            message = plan.model_dump(mode="json", by_alias=True)
            try:
                await temporal.execute_workflow(Attacker.run, message, id=uuid4().hex, task_queue=OWN_QUEUE)
            except WorkflowFailureError as error:
                assert isinstance(error.cause, ActivityError) and isinstance(error.cause.cause, ApplicationError)
                return f"{error.cause.cause.type}: {error.cause.cause.message}"
            return ""

        yield send


def plan_of(name: str, namespace: str = "small", **changes: Any) -> Plan:
    return a_plan(a_key(f"uid-{name}", name, namespace), pool_name=name, **changes)


async def ours(pools: Any) -> set[str]:
    return {name for name in await pools.names() if name.startswith("q")}


@pytest.fixture(autouse=True)
async def nothing_left(pools: Any) -> AsyncIterator[None]:
    yield
    for name in await ours(pools):
        await pools.delete(name)


async def test_no_h100_and_no_third_node_by_a_message_to_the_cloud_queue(attack: Attack, pools: Any) -> None:
    said = await attack(plan_of("qh", instance_type=H100))
    assert said.startswith("PolicyRefused") and "may buy Standard_NC*_A100_v4, not Standard_NC40ads_H100_v5" in said
    assert (await attack(plan_of("q3", node_count=3))).startswith("PolicyRefused")
    assert await ours(pools) == set()
    assert await attack(plan_of("q2", node_count=2)) == ""
    said = await attack(plan_of("q1"))
    assert said.startswith("PolicyRefused") and "has $7.35 (2 x Standard_NC24ads_A100_v4)" in said
    assert "Ask the platform team" in said
    assert (await attack(plan_of("q2", node_count=3))).startswith("PolicyRefused"), "nor by making a pool larger"
    assert (await ours(pools), (await pools.get("q2")).count) == ({"q2"}, 2)


async def test_a_forged_namespace_reaches_no_more_than_the_installation_allows(attack: Attack, pools: Any) -> None:
    said = [await attack(plan_of(f"qf{number}", f"forged-{number}", node_count=2)) for number in range(4)]
    assert [each.partition(":")[0] for each in said] == ["", "", "PolicyRefused", "PolicyRefused"]
    assert "all namespaces together may have 4 nodes" in said[-1]


async def test_a_limit_that_is_lowered_after_admission_holds_for_the_purchase(
    attack: Attack, policy: Path, pools: Any
) -> None:
    plan = plan_of("qa", "large", instance_type=H100)
    policy.write_text(LIMITED + "defaults: {machineTypes: [Standard_NC24ads_A100_v4]}\n")
    assert (await attack(plan)).startswith("PolicyRefused")
    assert await ours(pools) == set()


async def test_a_crowd_of_messages_buys_no_more_than_one_of_them_may(attack: Attack, pools: Any) -> None:
    said = await asyncio.gather(*(attack(plan_of(f"qc{number}", node_count=2)) for number in range(6)))
    assert sum(not each for each in said) <= 1
    assert len(await ours(pools)) <= 1
    assert {each.partition(":")[0] for each in said} <= {"", "PolicyRefused"}
