"""An edit has failed and stands: what serves instead is looked after, and what failed waits for people."""

from activities.contract import signatures as s
from activities.contract.failures import failure
from api.resource.status import Phase
from tests.workflows.conftest import Bench
from tests.workflows.edits import CRASH, failed_edit, ready


async def test_a_node_lost_later_repairs_what_serves_and_not_what_failed(live_bench: Bench) -> None:
    await ready(live_bench)
    await failed_edit(live_bench)
    planned = live_bench.world.calls["build_plan"]
    live_bench.world.pools.clear()
    await live_bench.signal(resync=True, generation=0)
    state = await live_bench.until(lambda state: live_bench.world.repairs == 1 and state.status.settled == "ready")
    assert live_bench.world.calls["build_plan"] == planned, "what failed was tried again"
    assert live_bench.world.applied == "digest-1"
    assert "generation 2 failed: " in state.status.message and "generation 1 serves" in state.status.message


async def test_looks_leave_what_serves_alone_and_do_not_try_what_failed_again(live_bench: Bench) -> None:
    await ready(live_bench)
    await failed_edit(live_bench)
    calls = live_bench.world.calls["ensure_workload"]
    await live_bench.signal(resync=True, generation=0)
    await live_bench.until(lambda _: live_bench.world.calls["read_health"] == 1)
    await live_bench.progress()
    assert live_bench.world.calls["ensure_workload"] == calls


async def test_a_lost_node_is_replaced_although_the_newest_generation_cannot_be_planned(live_bench: Bench) -> None:
    await ready(live_bench)
    live_bench.world.refused = failure("InvalidSpec", "resource.count is 0")
    await live_bench.edit()
    await live_bench.settled()
    live_bench.world.pools.clear()
    await live_bench.signal(resync=True, generation=0)
    state = await live_bench.until(lambda state: live_bench.world.repairs == 1 and state.status.settled == "ready")
    assert state.status.phase is Phase.READY and "generation 2 is not applied" in state.status.message
    assert live_bench.world.calls["delete_node_pool"] == 0


async def test_a_changed_config_map_that_fails_is_told_apart_from_its_generation(live_bench: Bench) -> None:
    await ready(live_bench)
    live_bench.world.digest = "digest-of-a-bad-config-map"
    live_bench.world.fail_next(s.WAIT_FOR_SERVING, CRASH)
    await live_bench.signal(resync=True, generation=0)
    state = await live_bench.until(lambda state: state.spec.failed is not None and state.status.settled == "ready")
    assert state.status.message.endswith("; generation 1 as it was before serves")
    assert live_bench.world.applied == "digest-1"
    live_bench.world.digest = "digest-1"  # taken back
    await live_bench.signal(resync=True, generation=0)
    state = await live_bench.until(lambda state: state.spec.failed is None and state.status.settled == "ready")
    assert state.status.reason == "workspaceSucceeded"


BAD = failure("ConfigInvalid", "ConfigMap phi, key inference_config.yaml: line 3: unknown option")


async def test_a_config_map_that_became_invalid_is_told_and_what_serves_goes_on(live_bench: Bench) -> None:
    await ready(live_bench)
    live_bench.world.refused = BAD
    await live_bench.signal(resync=True, generation=0)
    state = await live_bench.until(lambda state: state.spec.failed is not None and state.status.settled == "ready")
    assert (state.status.phase, state.status.reason) == (Phase.READY, "ConfigInvalid")
    assert state.status.message == (
        "generation 1 is not applied: ConfigMap phi, key inference_config.yaml: line 3: unknown option; "
        "generation 1 as it was before serves"
    )
    planned, looked = live_bench.world.calls["build_plan"], live_bench.world.calls["read_health"]
    await live_bench.signal(resync=True, generation=0)
    await live_bench.until(lambda _: live_bench.world.calls["read_health"] == looked + 1)
    await live_bench.progress()
    assert live_bench.world.calls["build_plan"] == planned, "what is refused waits for people"
    assert live_bench.world.calls["ensure_workload"] == 1
    live_bench.world.refused = None
    await live_bench.signal(resync=True, generation=0)
    state = await live_bench.until(lambda state: state.spec.failed is None and state.status.settled == "ready")
    assert state.status.reason == "workspaceSucceeded"


async def test_a_node_lost_under_a_config_map_that_became_invalid_is_replaced(live_bench: Bench) -> None:
    await ready(live_bench)
    live_bench.world.refused = BAD
    live_bench.world.pools.clear()
    await live_bench.signal(resync=True, generation=0)
    state = await live_bench.until(lambda state: live_bench.world.repairs == 1 and state.status.settled == "ready")
    assert live_bench.world.applied == "digest-1" and state.spec.failed is not None
    assert state.status.phase is Phase.READY and "generation 1 as it was before serves" in state.status.message
    assert live_bench.world.calls["delete_node_pool"] == 0


async def test_what_may_pass_by_itself_is_no_failed_edit(live_bench: Bench) -> None:
    await ready(live_bench)
    live_bench.world.refused = failure("ApiServerUnavailable", "busy", final=True)
    await live_bench.signal(resync=True, generation=0)
    await live_bench.until(lambda state: live_bench.world.calls["read_wanted"] == 1 and not state.control.look)
    state = await live_bench.progress()
    assert state.spec.failed is None and state.status.reason == "workspaceSucceeded"


async def test_what_failed_is_tried_again_on_request(live_bench: Bench) -> None:
    await ready(live_bench)
    await failed_edit(live_bench)
    await live_bench.signal(retry="again")
    state = await live_bench.until(lambda state: state.spec.failed is None and state.status.settled == "ready")
    assert live_bench.world.applied == "digest-2" and state.status.reason == "workspaceSucceeded"
