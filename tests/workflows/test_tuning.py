"""The way of a tuning Workspace: nodes only while it trains, nothing done twice, the adapter never lost."""

from typing import Any

import pytest

from activities.contract import signatures as s
from activities.contract.failures import failure
from api.resource.status import Phase, Step
from tests.fakes.world import ADAPTER
from tests.workflows.conftest import Bench
from tests.workflows.test_serving import last


@pytest.fixture(autouse=True)
def trains(request: pytest.FixtureRequest) -> None:
    """Every Workspace of this file has a tuning section."""
    name = "live_bench" if "live_bench" in request.fixturenames else "bench"
    request.getfixturevalue(name).world.kind = "tuning"


def status(bench: Bench) -> dict[str, Any]:
    return bench.world.statuses[-1]


async def written(bench: Bench, phase: str) -> None:
    await bench.until(lambda _: bool(bench.world.statuses) and status(bench).get("phase") == phase)


@pytest.mark.parametrize("bench", [100, 0], ids=["cached", "replayed at every step"], indirect=True)
async def test_data_then_nodes_then_the_adapters_image_and_no_node_is_left(bench: Bench) -> None:
    await bench.signal()
    state = await bench.settled()
    assert state.status.phase is Phase.SUCCEEDED
    steps = [record.step for record in state.status.steps]
    assert steps == [
        "Size", "Preflight", "PrepareModel", "FetchData", "ProvisionNodes", "AwaitNodes", "Train", "ReleaseNodes",
        "Publish", "Verify",
    ]  # fmt: skip
    assert not bench.world.pools and bench.world.volume
    assert bench.world.calls["ensure_node_pool"] == 1
    assert await bench.delete() == []
    assert not bench.world.jobs and not bench.world.volume and not bench.world.exists


async def test_the_status_has_kaitos_conditions_the_data_and_the_adapters_digest(bench: Bench) -> None:
    await bench.signal()
    await bench.settled()
    await written(bench, "Succeeded")
    found = status(bench)
    assert found["state"] == "Succeeded"
    assert (found["data"]["rows"], found["adapter"]["digest"]) == (30, ADAPTER)
    types = {entry["type"]: (entry["status"], entry["reason"]) for entry in found["conditions"]}
    assert types["JobStarted"] == ("True", "WorkspaceTuningJobStatusStarted")
    assert types["WorkspaceSucceeded"] == ("True", "workspaceSucceeded")
    assert types["ResourceReady"] == ("True", "workspaceResourceStatusSuccess")
    assert types["NodesReady"] == ("False", "NodesReleased")
    assert "InferenceReady" not in types
    assert ADAPTER in found["message"]


async def test_bad_data_buys_nothing(live_bench: Bench) -> None:
    message = "train.jsonl has the columns a, b; a pair needs prompt and completion"
    live_bench.world.fail_next(s.WAIT_FOR_TUNING_JOB, failure("DataColumnsUnknown", message))
    await live_bench.signal()
    state = await live_bench.settled("failed")
    assert (state.status.phase, state.status.reason, state.status.message) == (
        Phase.FAILED,
        "DataColumnsUnknown",
        message,
    )
    assert live_bench.world.calls["ensure_node_pool"] == 0
    assert not live_bench.world.jobs
    await written(live_bench, "Failed")
    assert status(live_bench)["state"] == "Failed"


async def test_a_failed_training_releases_its_nodes_and_keeps_its_volume(live_bench: Bench) -> None:
    bench = live_bench
    bench.world.fail_next(s.WAIT_FOR_TUNING_JOB, *[None, None, failure("TrainingDiverged", "loss is NaN", final=True)])
    await bench.signal()
    state = await bench.settled("failed")
    assert state.status.reason == "TrainingDiverged"
    assert not bench.world.pools and not bench.world.jobs and bench.world.volume
    await written(bench, "Failed")
    assert last(bench, "JobStarted")["reason"] == "WorkspaceTuningJobStatusFailed"
    assert last(bench, "WorkspaceSucceeded")["reason"] == "TrainingDiverged"


async def test_a_registry_that_refuses_costs_no_gpu_and_no_second_training(bench: Bench) -> None:
    refusal = failure("PushForbidden", "Secret push may not push to registry.example", final=True)
    bench.world.fail_next(s.WAIT_FOR_TUNING_JOB, *[None, None, None, refusal, refusal])
    await bench.signal()
    state = await bench.settled()
    assert state.status.phase is Phase.SUCCEEDED
    assert [record.step for record in state.status.steps].count(Step.PUBLISH) == 3
    assert bench.world.calls["ensure_node_pool"] == 1
    statuses = [found for found in bench.world.statuses if found.get("reason") == "PushForbidden"]
    assert statuses and "Secret push" in statuses[0]["message"] and "the adapter is kept" in statuses[0]["message"]
    assert statuses[0]["phase"] == "Publishing"


async def test_after_the_last_refusal_a_retry_publishes_without_another_training(live_bench: Bench) -> None:
    bench = live_bench
    refusal = failure("BlobRejected", "the registry takes no blobs over 100 MB", final=True)
    bench.world.fail_next(s.WAIT_FOR_TUNING_JOB, *[None, None, None, refusal])
    await bench.signal()
    state = await bench.settled("failed")
    assert state.status.reason == "BlobRejected" and bench.world.volume and not bench.world.pools
    assert bench.handle is not None
    await bench.handle.execute_update("retry")
    state = await bench.settled()
    assert state.status.phase is Phase.SUCCEEDED
    assert bench.world.calls["ensure_node_pool"] == 1
    assert [record.step for record in state.status.steps] == ["Size", "Preflight", "Publish", "Verify"]


async def test_another_output_is_another_push_and_another_configuration_another_training(live_bench: Bench) -> None:
    bench = live_bench
    await bench.signal()
    await bench.settled()
    bench.world.output_image, bench.world.digest = "registry.example/adapters/one:v2", "digest-2"
    await bench.edit()
    state = await bench.settled()
    assert bench.world.calls["ensure_node_pool"] == 1
    assert state.resources.run.published is not None and state.resources.run.published.image.endswith(":v2")
    bench.world.training_digest, bench.world.digest = "training-2", "digest-3"
    await bench.edit()
    await bench.settled()
    assert bench.world.calls["ensure_node_pool"] == 2
    assert not bench.world.pools


async def test_a_job_removed_from_outside_is_created_again(live_bench: Bench) -> None:
    bench = live_bench
    gone = failure("TrainingStopped", "Job default/w was removed while it ran", final=True)
    bench.world.fail_next(s.WAIT_FOR_TUNING_JOB, *[None, None, gone])
    await bench.signal()
    state = await bench.settled()
    assert state.status.phase is Phase.SUCCEEDED
    assert bench.world.order.count("ensure_tuning_job") >= 5


async def test_a_delete_while_it_trains_leaves_nothing(live_bench: Bench) -> None:
    bench = live_bench
    await bench.signal()
    await bench.until(lambda _: bool(bench.world.pools))
    bench.world.block(s.WAIT_FOR_TUNING_JOB)
    assert await bench.delete() == []
    assert not bench.world.pools and not bench.world.jobs and not bench.world.volume
