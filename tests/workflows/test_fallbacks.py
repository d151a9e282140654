"""Purchase options are tried in the user's order and reported; lost nodes are bought again, a few times."""

from activities.contract import signatures as s
from activities.contract.failures import failure
from activities.contract.plan import Check
from api.resource.status import Phase
from tests.fakes.large_plans import UID, options_of
from tests.workflows.conftest import Bench
from workflows.steps.fallbacks import EVICTIONS_MAX

FIRST, SECOND = "Standard_NC24ads_A100_v4", "Standard_NC40ads_H100_v5"
QUOTA = Check(name="VcpuQuota", outcome="failed", reason="QuotaExceeded", message="0 of 24 left")
PRICE = Check(name="PriceLimit", outcome="failed", reason="PriceAboveLimit", message="3.67 is more than 1.00")
OFFERED = Check(name="SkuOffered", outcome="passed")


async def test_an_option_that_fails_its_checks_is_skipped_and_reported(live_bench: Bench) -> None:
    live_bench.world.options = [(FIRST, False), (SECOND, False)]
    live_bench.world.checks_of = {FIRST: [QUOTA]}
    await live_bench.signal()
    state = await live_bench.settled()
    assert state.spec.plan is not None and state.spec.plan.instance_type == SECOND
    assert [(tried.option, tried.reason) for tried in state.status.tried] == [(FIRST, "QuotaExceeded")]
    assert live_bench.world.bought == [(SECOND, False)]
    assert live_bench.world.applied == f"digest-1 {SECOND}", "the workload is created for the machine that was bought"
    await live_bench.until(lambda _: live_bench.world.statuses[-1].get("phase") == "Ready")
    assert live_bench.world.statuses[-1]["plan"]["instanceType"] == SECOND
    assert live_bench.world.statuses[-1]["plan"]["tried"] == [f"{FIRST}: QuotaExceeded: 0 of 24 left"]
    assert await live_bench.delete() == []


async def test_the_report_is_that_of_the_bought_machine(live_bench: Bench) -> None:
    live_bench.world.uid = UID
    live_bench.world.planned = options_of([FIRST, SECOND], name=live_bench.name)
    live_bench.world.checks_of = {FIRST: [QUOTA]}
    await live_bench.signal()
    spec = (await live_bench.settled()).spec
    assert spec.plan is not None and spec.report is not None
    assert spec.plan.instance_type == spec.report.instance_type == SECOND
    assert spec.report == live_bench.world.planned[1].report


async def test_a_failed_option_is_released_before_the_next_is_bought(live_bench: Bench) -> None:
    live_bench.world.options = [(FIRST, True), (FIRST, False)]
    live_bench.world.fail_next(s.ENSURE_NODE_POOL, failure("AllocationFailed", "no spot machine is free", final=True))
    await live_bench.signal()
    state = await live_bench.settled()
    assert live_bench.world.bought == [(FIRST, False)]
    order = [name for name in live_bench.world.order if name in ("ensure_node_pool", "delete_node_pool")]
    assert order == ["ensure_node_pool", "delete_node_pool", "ensure_node_pool"]
    assert [tried.option for tried in state.status.tried] == [f"{FIRST} as spot"]
    assert live_bench.world.calls["delete_workload"] == 0, "the pods fit the same machine with another capacity type"


async def test_when_all_options_failed_all_reasons_are_reported_and_nothing_is_kept(live_bench: Bench) -> None:
    live_bench.world.options = [(FIRST, False), (SECOND, True), (SECOND, False)]
    live_bench.world.checks_of = {FIRST: [QUOTA]}
    errors = (failure("AllocationFailed", "no machine", final=True), failure("SkuNotAvailable", "not sold"))
    live_bench.world.fail_next(s.ENSURE_NODE_POOL, *errors)
    await live_bench.signal()
    state = await live_bench.settled("failed")
    assert (state.status.phase, state.status.reason) == (Phase.FAILED, "QuotaExceeded")
    assert state.status.message == (
        f"none of 3 purchase options worked. {FIRST}: 0 of 24 left [QuotaExceeded]; "
        f"{SECOND} as spot: no machine [AllocationFailed]; {SECOND}: not sold [SkuNotAvailable]"
    )
    assert not live_bench.world.pools and not live_bench.world.workloads and not state.resources.holdings


async def test_a_gpu_that_fails_under_the_server_leads_to_the_next_machine(live_bench: Bench) -> None:
    live_bench.world.options = [(FIRST, False), (SECOND, False)]
    fault = failure("AcceleratorFault", "CUDA error: an illegal memory access was encountered", final=True)
    live_bench.world.fail_next(s.WAIT_FOR_SERVING, fault)
    await live_bench.signal()
    state = await live_bench.settled()
    assert state.spec.plan is not None and state.spec.plan.instance_type == SECOND
    assert [(tried.option, tried.reason) for tried in state.status.tried] == [(FIRST, "AcceleratorFault")]


async def test_an_adapter_without_effect_is_no_matter_of_the_machine(live_bench: Bench) -> None:
    live_bench.world.options = [(FIRST, False), (SECOND, False)]
    live_bench.world.fail_next(s.READ_COMPLETIONS, failure("AdapterWithoutEffect", "adapter tone changes nothing"))
    await live_bench.signal()
    state = await live_bench.settled("failed")
    assert (state.status.reason, state.status.message) == ("AdapterWithoutEffect", "adapter tone changes nothing")
    assert live_bench.world.bought == [(FIRST, False)]


async def test_a_failure_unrelated_to_the_machine_has_no_fallback(live_bench: Bench) -> None:
    live_bench.world.options = [(FIRST, False), (SECOND, False)]
    live_bench.world.fail_next(s.READ_MODEL_REVISION, failure("ModelGated", "accept the licence"))
    await live_bench.signal()
    state = await live_bench.settled("failed")
    assert (state.status.reason, state.status.message) == ("ModelGated", "accept the licence")
    assert live_bench.world.calls["read_preflight"] == 1 and not live_bench.world.bought


async def test_spot_nodes_are_bought_again_and_after_some_evictions_the_next_option_comes(live_bench: Bench) -> None:
    world = live_bench.world
    world.options = [(FIRST, True), (FIRST, False)]
    await live_bench.signal()
    await live_bench.settled()
    for times in range(1, EVICTIONS_MAX + 2):
        world.pools.clear()
        await live_bench.signal(resync=True, generation=0)
        bought = 1 + times
        await live_bench.until(
            lambda state, bought=bought: len(world.bought) == bought and state.status.settled == "ready"
        )
    assert world.bought == [(FIRST, True)] * (EVICTIONS_MAX + 1) + [(FIRST, False)]
    state = await live_bench.progress()
    assert state.resources.evictions == {f"{FIRST} as spot": EVICTIONS_MAX + 1}
    assert any(status.get("reason") == "SpotEvicted" for status in world.statuses)


async def test_an_edit_keeps_the_option_that_serves(live_bench: Bench) -> None:
    live_bench.world.options = [(FIRST, False), (SECOND, False)]
    live_bench.world.checks_of = {FIRST: [QUOTA]}
    await live_bench.signal()
    await live_bench.settled()
    live_bench.world.checks_of = {}
    await live_bench.signal(resync=True, generation=0)
    await live_bench.until(lambda _: live_bench.world.calls["read_health"] == 1)
    await live_bench.edit(digest="digest-2")
    state = await live_bench.settled()
    assert state.spec.plan is not None and state.spec.plan.instance_type == SECOND
    assert live_bench.world.calls["delete_node_pool"] == 0


async def test_a_refused_edit_does_not_move_what_serves(live_bench: Bench) -> None:
    live_bench.world.options = [(FIRST, False), (SECOND, False)]
    await live_bench.signal()
    await live_bench.settled()
    live_bench.world.workload_checks = [PRICE]
    await live_bench.edit(digest="digest-2")
    state = await live_bench.settled()
    assert "generation 2 is not applied: 3.67 is more than 1.00" in state.status.message
    assert live_bench.world.bought == [(FIRST, False)] and live_bench.world.pools
    assert live_bench.world.applied == "digest-1"


async def test_an_edit_that_needs_no_purchase_skips_the_provider_checks(live_bench: Bench) -> None:
    await live_bench.signal()
    await live_bench.settled()
    live_bench.world.checks_of = {FIRST: [QUOTA]}
    await live_bench.edit(digest="digest-2")
    state = await live_bench.settled()
    assert live_bench.world.applied == "digest-2" and live_bench.world.calls["read_preflight"] == 1
    checks = {check.name: (check.outcome, check.message) for check in state.status.checks}
    assert checks["VcpuQuota"] == checks["SkuOffered"] == ("passed", "the nodes are already there")


async def test_an_edit_after_a_node_loss_runs_the_provider_checks_again(live_bench: Bench) -> None:
    await live_bench.signal()
    await live_bench.settled()
    live_bench.world.pools.clear()
    await live_bench.signal(resync=True, generation=0)
    await live_bench.until(lambda state: live_bench.world.repairs == 1 and state.status.settled == "ready")
    assert live_bench.world.calls["read_preflight"] == 2
