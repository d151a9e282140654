"""Quick activities run in the worker's own process, and as others do where that does not succeed at once."""

from activities.contract import signatures as s
from activities.contract.failures import failure
from tests.workflows.conftest import Bench


async def test_what_fails_locally_is_tried_again_as_other_activities_are(live_bench: Bench) -> None:
    busy = failure("ApiServerUnavailable", "busy")
    live_bench.world.fail_next(s.ENSURE_FINALIZER, busy, busy)
    await live_bench.signal()
    await live_bench.settled()
    assert live_bench.world.calls[s.ENSURE_FINALIZER.name] == 3 and live_bench.world.finalizer


async def test_what_hangs_locally_does_not_hold_up_the_workflow(live_bench: Bench) -> None:
    gate = live_bench.world.block(s.ENSURE_FINALIZER)
    await live_bench.signal()
    await live_bench.until(lambda _: live_bench.world.calls["ensure_finalizer"] >= 2)
    gate.set()
    await live_bench.settled()
    assert live_bench.world.finalizer
