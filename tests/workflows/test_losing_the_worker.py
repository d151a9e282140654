"""A worker that goes away drops the workflows it has cached; their coroutines end without a sound and without work."""

import gc
import sys
from typing import Any

import pytest
from temporalio.testing import WorkflowEnvironment

from activities.contract import signatures as s
from activities.contract.signatures import Signature
from tests.workflows.conftest import working

IN_THE_MIDDLE = [s.BUILD_PLAN, s.READ_PREFLIGHT, s.ENSURE_NODE_POOL, s.ENSURE_WORKLOAD, s.WAIT_FOR_SERVING]


@pytest.mark.parametrize("signature", IN_THE_MIDDLE, ids=lambda signature: signature.name)
async def test_a_workflow_evicted_in_the_middle_of_a_step_is_collected_silently(
    live: WorkflowEnvironment, signature: Signature[Any, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    complaints: list[str] = []
    monkeypatch.setattr(sys, "unraisablehook", lambda unraisable: complaints.append(repr(unraisable)))
    async with working(live) as bench:
        bench.world.block(signature)
        await bench.signal()
        await bench.world.entered[signature.name].wait()
    gc.collect()
    assert complaints == []
