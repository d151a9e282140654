"""One stack for all fault tests: real processes, simulated machines and pods. Each test leaves it as it found it."""

import json
from collections.abc import AsyncIterator, Iterator

import pytest

from testing.api_calls import POLICY
from testing.deadlines import DEADLINES
from testing.leftovers import settled_leftovers
from testing.pods.rules import PodRules
from testing.ports import free_port
from testing.stack import Stack, keep_logs, running
from testing.workspaces import Workspaces, connected
from tests.lanes import instance_of_this_lane


@pytest.fixture(scope="package")
def registry_port() -> int:
    """Of a registry that tests may start; the workers are told that it speaks without TLS."""
    return free_port()


@pytest.fixture(scope="package")
def fault_stack(request: pytest.FixtureRequest, registry_port: int) -> Iterator[Stack]:
    """Started once in each process, stopped after its last test; its logs are kept when a test failed."""
    plain = json.dumps([f"127.0.0.1:{registry_port}"])
    settings = {"MODELYARD_DEADLINES": DEADLINES, "MODELYARD_PLAIN_HTTP_REGISTRIES": plain}
    with running(instance_of_this_lane(), settings, POLICY) as started:
        yield started
        if request.session.testsfailed:
            keep_logs(started.layout)


@pytest.fixture
async def workspaces(fault_stack: Stack) -> AsyncIterator[Workspaces]:
    async with connected(fault_stack.layout) as made:
        yield made


@pytest.fixture
async def stack(fault_stack: Stack, workspaces: Workspaces) -> AsyncIterator[Stack]:
    """Without faults before and after; whatever the test bought must be gone when it ends."""
    settings = fault_stack.arm.state()["settings"]
    fault_stack.arm.reset_calls()
    yield fault_stack
    fault_stack.arm.clear_faults()
    fault_stack.arm.change_cluster(power_state="Running", provisioning_state="Succeeded")
    fault_stack.arm.change_settings(**settings)
    fault_stack.set_pods(PodRules())
    await workspaces.delete_all()
    assert await settled_leftovers(fault_stack, workspaces) == {}
