"""Records the histories that every later version must replay: `python -m tests.replay.record VERSION [SCENARIO ...]`.

Run it once for a release, from that release's code, and commit what it writes. The scenarios are the ways that a
Workspace really goes; the world behind the activities is tests.fakes'.
"""

import asyncio
import json
import sys
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

from activities.contract import signatures as s
from activities.contract.failures import failure
from tests.fakes.world import INSTANCE_TYPE
from tests.temporal_servers import dev_server
from tests.workflows.conftest import Bench, working
from worker.plugin import plugin
from workflows.status import search_attributes

HISTORIES = Path(__file__).parent / "histories"
Scenario = Callable[[Bench], Awaitable[object]]


async def served_and_deleted(bench: Bench) -> None:
    await bench.signal()
    await bench.settled()
    await bench.delete()


async def superseded_while_serving_is_awaited(bench: Bench) -> None:
    gate = bench.world.block(s.WAIT_FOR_SERVING)
    await bench.signal()
    await bench.world.entered["wait_for_serving"].wait()
    gate.set()
    await bench.edit(digest="digest-2")
    await bench.settled()
    await bench.delete()


async def deleted_while_nodes_are_bought(bench: Bench) -> None:
    bench.world.block(s.ENSURE_NODE_POOL)
    await bench.signal()
    await bench.world.entered["ensure_node_pool"].wait()
    await bench.delete()


async def refused_for_quota_and_tried_again(bench: Bench) -> None:
    from workflows.workspace import WorkspaceWorkflow

    bench.world.fail_next(s.ENSURE_NODE_POOL, failure("QuotaExceeded", "0 of 24 vCPUs are left"))
    handle = await bench.signal()
    await bench.settled("failed")
    await handle.execute_update(WorkspaceWorkflow.retry)
    await bench.settled()
    await bench.delete()


async def node_replaced(bench: Bench) -> None:
    bench.world.fail_next(s.WAIT_FOR_NODES, failure("NodeWithoutGpu", "0 of 1 GPUs", final=True))
    await bench.signal()
    await bench.settled()
    await bench.delete()


async def nodes_claimed(bench: Bench) -> None:
    bench.world.provider = "karpenter"
    await served_and_deleted(bench)


async def own_nodes_reserved(bench: Bench) -> None:
    bench.world.provider = "byo"
    await served_and_deleted(bench)


async def trained_and_published(bench: Bench) -> None:
    from workflows.workspace import WorkspaceWorkflow

    bench.world.kind = "tuning"
    no = failure("PushForbidden", "Secret push may not push", final=True)
    bench.world.fail_next(s.WAIT_FOR_TUNING_JOB, None, None, None, no)
    handle = await bench.signal()
    await bench.until(lambda state: state.status.reason == "PushForbidden")
    await handle.execute_update(WorkspaceWorkflow.retry)
    await bench.settled()
    await bench.delete()


async def trained_again_after_an_edit(bench: Bench) -> None:
    bench.world.kind = "tuning"
    await bench.signal()
    await bench.settled()
    bench.world.training_digest = "training-2"
    await bench.edit(digest="digest-2")
    await bench.settled()
    await bench.delete()


async def second_way_taken(bench: Bench) -> None:
    bench.world.options = [(INSTANCE_TYPE, True), (INSTANCE_TYPE, False)]
    bench.world.fail_next(s.ENSURE_NODE_POOL, failure("AllocationFailed", "no spot machine is free", final=True))
    await served_and_deleted(bench)


async def node_lost_at_work(bench: Bench) -> None:
    gate = bench.world.block(s.WAIT_FOR_SERVING)
    await bench.signal()
    await bench.until(lambda _: bench.world.calls["wait_for_serving"] == 1)
    bench.world.lose_a_node()
    await bench.until(lambda _: bench.world.calls["wait_for_serving"] == 2)
    gate.set()
    await bench.settled()
    await bench.delete()


async def node_lost_later(bench: Bench) -> None:
    await bench.signal()
    await bench.settled()
    bench.world.pools.clear()
    await bench.signal(resync=True, generation=0)
    await bench.until(lambda state: bench.world.repairs == 1 and state.status.settled == "ready")
    await bench.delete()


async def edited_while_paused(bench: Bench) -> None:
    bench.world.paused = True
    await bench.signal(paused=True)
    await bench.until(lambda state: state.status.reason == "Paused")
    bench.world.paused = False
    await bench.signal(paused=False)
    await bench.settled()
    await bench.edit(digest="digest-2")
    await bench.settled()
    await bench.delete()


async def successor_told_to_wait(bench: Bench) -> None:
    """The workflow of the predecessor: the successor's is a run of its own."""
    from workflows.workspace import WorkspaceWorkflow

    await bench.signal()
    await bench.settled()
    bench.world.fail_next(s.DELETE_NODE_POOL, failure("CloudForbidden", "may not delete pools"))
    bench.world.uid, bench.world.generation = "uid-2", 1
    handle = await bench.signal()
    await bench.until(lambda state: state.status.reason == "CloudForbidden" and "uid-2" in bench.world.statuses_by_uid)
    await handle.execute_update(WorkspaceWorkflow.retry)
    await bench.until(lambda state: state.key.uid == "uid-2" and state.status.settled == "ready")


async def failed_edit_answered_with_the_last_good_one(bench: Bench) -> None:
    """Then a node is lost, and the edit is tried again."""
    await bench.signal()
    await bench.settled()
    crash = failure("ContainerCrashLoopBackOff", "invalid tool call parser: qwen", final=True)
    bench.world.fail_next(s.WAIT_FOR_SERVING, crash)
    await bench.edit(digest="digest-2")
    await bench.until(lambda state: state.spec.failed is not None and state.status.settled == "ready")
    bench.world.pools.clear()
    await bench.signal(resync=True, generation=0)
    await bench.until(lambda state: bench.world.repairs == 1 and state.status.settled == "ready")
    await bench.signal(retry="again")
    await bench.until(lambda state: state.spec.failed is None and state.status.settled == "ready")
    await bench.delete()


async def last_good_one_not_put_back(bench: Bench) -> None:
    await bench.signal()
    await bench.settled()
    crash = failure("ContainerCrashLoopBackOff", "invalid tool call parser: qwen", final=True)
    bench.world.fail_next(s.WAIT_FOR_SERVING, crash, crash)
    await bench.edit(digest="digest-2")
    await bench.settled("failed")
    await bench.delete()


async def another_machine_not_to_be_had(bench: Bench) -> None:
    """It passes its checks and is not sold: the old one is bought again."""
    await bench.signal()
    await bench.settled()
    bench.world.fail_next(s.ENSURE_NODE_POOL, failure("AllocationFailed", "none is free", final=True))
    await bench.edit(instance_type="Standard_NC48ads_A100_v4", digest="digest-2")
    await bench.until(lambda state: state.spec.failed is not None and state.status.settled == "ready")
    await bench.delete()


async def still_ready(bench: Bench) -> None:
    """Open: a Workspace that an upgrade finds at rest."""
    await bench.signal()
    await bench.settled()


SCENARIOS: tuple[Scenario, ...] = (
    served_and_deleted,
    superseded_while_serving_is_awaited,
    deleted_while_nodes_are_bought,
    refused_for_quota_and_tried_again,
    node_replaced,
    nodes_claimed,
    own_nodes_reserved,
    trained_and_published,
    trained_again_after_an_edit,
    second_way_taken,
    node_lost_at_work,
    node_lost_later,
    edited_while_paused,
    successor_told_to_wait,
    failed_edit_answered_with_the_last_good_one,
    last_good_one_not_put_back,
    another_machine_not_to_be_had,
    still_ready,
)


def without_traces(part: Any) -> Any:
    """The history without stack traces: they play no part in a replay and name the folders of a machine."""
    if isinstance(part, dict):
        return {key: without_traces(value) for key, value in part.items() if key != "stackTrace"}
    return [without_traces(one) for one in part] if isinstance(part, list) else part


async def record(version: str, wanted: Sequence[str]) -> None:
    """Writes one file per scenario: of all, or of those that are named."""
    async with dev_server(search_attributes=search_attributes.ALL, plugins=[plugin()]) as env:
        for scenario in (one for one in SCENARIOS if not wanted or one.__name__ in wanted):
            async with working(env) as bench:
                await scenario(bench)
                assert bench.handle is not None
                first = bench.client.get_workflow_handle(bench.handle.id, run_id=bench.handle.first_execution_run_id)
                history = await first.fetch_history()
            file = HISTORIES / f"{version}-{scenario.__name__.replace('_', '-')}.json"
            file.write_text(json.dumps(without_traces(json.loads(history.to_json())), indent=1))
            print(f"{file.name}: {len(history.events)} events")


if __name__ == "__main__":
    asyncio.run(record(sys.argv[1], sys.argv[2:]))
