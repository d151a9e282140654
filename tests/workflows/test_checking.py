"""Every check before the purchase has its own result, and all failures are reported at once."""

from activities.contract import signatures as s
from activities.contract.failures import failure
from activities.contract.plan import Check
from tests.workflows.conftest import Bench

QUOTA = Check(name="VcpuQuota", outcome="failed", reason="QuotaExceeded", message="0 of 24 left")
OFFERED = Check(name="SkuOffered", outcome="passed")
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
