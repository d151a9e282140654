"""Every check before the purchase has its own result, and all failures are reported at once."""

from activities.contract import signatures as s
from activities.contract.failures import failure
from activities.contract.plan import Check
from tests.workflows.conftest import Bench

QUOTA = Check(name="VcpuQuota", outcome="failed", reason="QuotaExceeded", message="0 of 24 left")
OFFERED = Check(name="SkuOffered", outcome="passed")
NO_PLUGIN = Check(name="GpusOffered", outcome="unknown", reason="GpusNotOffered", message="there is none. Set it")
IMAGE = Check(name="ImagesPullable", outcome="failed", reason="ImagePullError", message="no such image")


def preflight(bench: Bench) -> dict[str, str]:
    conditions = bench.world.statuses[-1]["conditions"] if bench.world.statuses else []
    return next((one for one in conditions if one["type"] == "PreflightPassed"), {"status": ""})


async def test_all_failures_are_reported_at_once_in_the_order_of_the_table(live_bench: Bench) -> None:
    live_bench.world.checks = [OFFERED, QUOTA]
    live_bench.world.workload_checks = [IMAGE]
    live_bench.world.fail_next(s.READ_MODEL_REVISION, failure("ModelGated", "accept the licence"))
    await live_bench.signal()
    state = await live_bench.settled("failed")
    assert state.status.reason == "QuotaExceeded"
    assert state.status.message == (
        "VcpuQuota: 0 of 24 left; ModelReadable: accept the licence; ImagesPullable: no such image"
    )
    await live_bench.until(lambda _: preflight(live_bench)["message"].startswith("3 of "))
    condition = preflight(live_bench)
    assert condition["reason"] == "QuotaExceeded"
    assert condition["message"].startswith("3 of 4 checks failed: VcpuQuota: 0 of 24 left; ModelReadable: accept")
    assert live_bench.world.calls["ensure_node_pool"] == 0
    assert {record.step: record.outcome for record in state.status.steps} == {
        "Size": "done", "Preflight": "failed", "PrepareModel": "failed",
    }  # fmt: skip


async def test_unknown_checks_are_reported_and_do_not_stop_a_workspace(live_bench: Bench) -> None:
    live_bench.world.checks = [OFFERED, Check(name="VcpuQuota", outcome="unknown", message="Azure did not answer")]
    live_bench.world.fail_next(s.READ_WORKLOAD_PREFLIGHT, failure("ApiServerUnavailable", "it restarts", final=True))
    await live_bench.signal()
    await live_bench.settled()
    await live_bench.until(lambda _: "PriceLimit" in preflight(live_bench).get("message", ""))
    assert preflight(live_bench)["status"] == "True"
    assert preflight(live_bench)["message"] == (
        "passed: SkuOffered, ModelReadable; unknown: VcpuQuota: Azure did not answer; "
        "PriceLimit: it restarts; ImagesPullable: it restarts"
    )


async def test_a_forbidden_check_fails(live_bench: Bench) -> None:
    live_bench.world.fail_next(s.READ_WORKLOAD_PREFLIGHT, failure("ApiServerRefused", "no right to read Secrets"))
    await live_bench.signal()
    state = await live_bench.settled("failed")
    assert (state.status.reason, state.status.message) == ("ApiServerRefused", "no right to read Secrets")


async def test_after_the_first_failure_the_other_checks_get_a_grace_period(bench: Bench) -> None:
    bench.world.checks = [QUOTA]
    bench.world.fail_next(s.READ_MODEL_REVISION, *(failure("ModelHubBusy", "slow down") for _ in range(50)))
    await bench.signal()
    state = await bench.settled("failed")
    assert (state.status.reason, state.status.message) == ("QuotaExceeded", "0 of 24 left")
    unanswered = next(check for check in state.status.checks if check.name == "ModelReadable")
    assert (unanswered.outcome, unanswered.message) == ("unknown", "cancelled before it had a result")
    began, ended = state.status.steps[0].started, state.status.steps[-1].ended
    assert began is not None and ended is not None
    assert (ended - began).total_seconds() < 30


async def test_a_refused_edit_keeps_what_runs_and_names_the_failed_checks(live_bench: Bench) -> None:
    await live_bench.signal()
    await live_bench.settled()
    live_bench.world.workload_checks = [IMAGE]
    await live_bench.edit(digest="digest-2")
    state = await live_bench.settled()
    assert "generation 2 is not applied: no such image" in state.status.message
    await live_bench.until(lambda _: preflight(live_bench)["status"] == "False")
    assert live_bench.world.pools


async def test_without_a_device_plugin_nothing_is_bought_until_there_is_one(live_bench: Bench) -> None:
    live_bench.world.workload_checks = [NO_PLUGIN]
    gate = live_bench.world.block(s.WAIT_FOR_GPUS_OFFERED)
    await live_bench.signal()
    state = await live_bench.until(lambda state: state.status.reason == "GpusNotOffered")
    assert (state.status.phase, state.status.message) == ("Preflight", "there is none. Set it")
    await live_bench.world.entered["wait_for_gpus_offered"].wait()
    assert live_bench.world.calls["ensure_node_pool"] == 0
    gate.set()
    state = await live_bench.settled()
    assert state.status.phase == "Ready" and live_bench.world.calls["ensure_node_pool"] == 1
    await live_bench.until(lambda _: "GpusOffered, ModelReadable" in preflight(live_bench).get("message", ""))


async def test_a_device_plugin_that_never_comes_fails_the_workspace_without_a_purchase(live_bench: Bench) -> None:
    live_bench.world.workload_checks = [NO_PLUGIN]
    live_bench.world.fail_next(s.WAIT_FOR_GPUS_OFFERED, failure("GpusNotOffered", "there is still none", final=True))
    await live_bench.signal()
    state = await live_bench.settled("failed")
    assert (state.status.reason, state.status.message) == ("GpusNotOffered", "there is still none")
    assert live_bench.world.calls["ensure_node_pool"] == 0


async def test_a_refusal_is_told_at_once_also_where_a_device_plugin_is_missing(live_bench: Bench) -> None:
    live_bench.world.workload_checks = [NO_PLUGIN]
    live_bench.world.checks = [QUOTA]
    await live_bench.signal()
    state = await live_bench.settled("failed")
    assert state.status.reason == "QuotaExceeded"
    assert live_bench.world.calls["wait_for_gpus_offered"] == 0


async def test_an_edit_on_nodes_that_are_there_waits_for_no_device_plugin(live_bench: Bench) -> None:
    await live_bench.signal()
    await live_bench.settled()
    live_bench.world.workload_checks = [NO_PLUGIN]
    await live_bench.edit(digest="digest-2")
    await live_bench.settled()
    # It is `unknown` for a moment, as the activity says.
    await live_bench.until(lambda _: "GpusOffered, ModelReadable" in preflight(live_bench).get("message", ""))
    assert live_bench.world.calls["wait_for_gpus_offered"] == 0


async def test_nodes_without_gpus_for_the_clusters_reason_are_bought_once(live_bench: Bench) -> None:
    live_bench.world.fail_next(s.WAIT_FOR_NODES, failure("GpusNotOffered", "no device plugin runs there", final=True))
    await live_bench.signal()
    state = await live_bench.settled("failed")
    assert (state.status.reason, state.status.message) == ("GpusNotOffered", "no device plugin runs there")
    assert live_bench.world.calls["ensure_node_pool"] == 1 and not live_bench.world.pools
