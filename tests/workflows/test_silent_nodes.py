"""A node that does not answer keeps its pods; it is released all the same, and the pods go before the finalizer."""

from tests.workflows.conftest import Bench


async def test_a_silent_node_does_not_hold_up_its_own_release(live_bench: Bench) -> None:
    await live_bench.signal()
    await live_bench.settled()
    live_bench.world.node_silent = True
    assert await live_bench.delete() == []
    order = [name for name in live_bench.world.order if name.startswith("delete_")]
    assert order == ["delete_workload", "delete_node_pool", "delete_workload", "delete_finalizer"]
    assert not live_bench.world.workloads and not live_bench.world.pools
