"""What messages, updates and words of others do to a workflow: no more than they may."""

from datetime import timedelta
from itertools import pairwise
from uuid import uuid4

import pytest
from temporalio.client import WorkflowUpdateFailedError

from activities.contract import signatures as s
from activities.contract.failures import failure
from activities.contract.plan import LONGEST_DEADLINE_S, Check
from tests.workflows.conftest import Bench
from workflows import resync
from workflows.messages import Deadline
from workflows.resync import RESYNC
from workflows.status.content import current_details
from workflows.workspace import WorkspaceWorkflow

HOSTILE = "see [here](https://evil.example)\x1b[2J\u202e and **" + "x" * 100_000


async def test_a_workspace_that_is_gone_and_whose_uid_is_anothers_releases_no_nodes(live_bench: Bench) -> None:
    world = live_bench.world
    world.uid_is_anothers, world.exists, world.pools = True, False, {"the-victims": world.instance_type}
    handle = await live_bench.signal(generation=0, resync=True)
    assert await handle.result() == []
    assert world.pools and world.calls["delete_node_pool"] == 0


@pytest.mark.parametrize("seconds", [0, LONGEST_DEADLINE_S + 1, 10**13])
async def test_a_deadline_that_no_date_ends_is_refused_and_wedges_nothing(live_bench: Bench, seconds: int) -> None:
    handle = await live_bench.signal()
    await live_bench.settled()
    with pytest.raises(WorkflowUpdateFailedError) as refused:
        await handle.execute_update(WorkspaceWorkflow.set_deadline, Deadline(serving=seconds))
    assert "1 to 2678400 seconds (31 days)" in str(refused.value.cause)
    await handle.execute_update(WorkspaceWorkflow.set_deadline, Deadline(serving=LONGEST_DEADLINE_S))
    await live_bench.edit(digest="digest-2")
    state = await live_bench.settled()
    assert state.spec.plan is not None and state.spec.plan.deadlines.serving == LONGEST_DEADLINE_S


async def test_words_of_a_pod_are_bounded_and_no_markup_where_people_read_them(live_bench: Bench) -> None:
    live_bench.world.fail_next(s.WAIT_FOR_SERVING, failure("ContainerCrashLoopBackOff", HOSTILE, final=True))
    await live_bench.signal()
    state = await live_bench.settled("failed")
    assert state.status.message.startswith("see [here](https://evil.example) [2J  and")
    assert len(state.status.message) < 5000 and "\x1b" not in state.status.message
    assert r"\[here\](https\://evil.example)" in current_details(state)


def test_words_of_a_check_are_bounded_too() -> None:
    assert len(Check(name="ImagesPullable", outcome="unknown", message=HOSTILE).message) < 5000


def test_workspaces_that_began_together_look_at_different_times() -> None:
    uids = [str(uuid4()) for _ in range(1000)]
    found = sorted(map(resync.interval_of, uids))
    assert RESYNC * 0.8 <= found[0] < RESYNC * 0.82 and RESYNC * 0.98 < found[-1] <= RESYNC
    assert max(later - earlier for earlier, later in pairwise(found)) < timedelta(seconds=30)
    assert found == sorted(map(resync.interval_of, uids)), "the same in every replay"
