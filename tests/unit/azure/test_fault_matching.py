"""Which request a fault hits, and how it is used up."""

import pytest

from deploy.local.azure.faults import KINDS, Fault, Target, standing, take
from deploy.local.azure.http.gate import target_of

PUT_WS1 = Target(pool="ws1", method="PUT", route="agentPool")
CLUSTER = "/subscriptions/s/resourceGroups/g/providers/Microsoft.ContainerService/managedClusters/c"


@pytest.mark.parametrize(
    ("fault", "target", "hits"),
    [
        pytest.param({"kind": "throttled"}, PUT_WS1, True, id="anything"),
        pytest.param({"kind": "throttled", "pool": "ws*"}, PUT_WS1, True, id="pool-pattern"),
        pytest.param({"kind": "throttled", "pool": "other"}, PUT_WS1, False, id="other-pool"),
        pytest.param({"kind": "throttled", "method": "delete"}, PUT_WS1, False, id="other-method"),
        pytest.param({"kind": "throttled", "method": "put"}, PUT_WS1, True, id="method-in-lower-case"),
        pytest.param({"kind": "throttled", "route": "agentpool"}, PUT_WS1, True, id="route-in-any-case"),
        pytest.param({"kind": "throttled", "route": "operation"}, PUT_WS1, False, id="other-route"),
        pytest.param({"kind": "server-error"}, PUT_WS1, False, id="other-kind"),
        pytest.param({"kind": "lost-response"}, Target(pool="ws1", method="GET"), False, id="kinds-own-method"),
    ],
)
def test_a_fault_hits_what_it_names(fault: dict[str, str], target: Target, hits: bool) -> None:
    found = take([Fault(**fault)], ["throttled", "lost-response"], target)
    assert (found is not None) is hits


def test_a_fault_is_counted_down_and_leaves_when_it_is_used_up() -> None:
    faults = [Fault(kind="throttled", times=2), Fault(kind="throttled", pool="ws1")]
    assert [take(faults, ["throttled"], PUT_WS1) is not None for _ in range(3)] == [True, True, True]
    assert [fault.times for fault in faults] == [None]


def test_only_the_variant_asked_for_is_taken() -> None:
    faults = [Fault(kind="etag-conflict"), Fault(kind="etag-conflict", variant="late")]
    late = take(faults, ["etag-conflict"], Target(pool="ws1", method="PUT", route="agentPool", variant="late"))
    assert late is not None and late.variant == "late"


def test_only_a_fault_that_lasts_is_a_state_of_the_cluster() -> None:
    faults = [Fault(kind="cluster-stopped", times=1), Fault(kind="cluster-stopped")]
    assert standing(faults, "cluster-stopped") is standing(faults, "cluster-stopped") is faults[1]
    assert standing(faults, "cluster-upgrading") is None


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_can_be_set_and_describes_what_it_imitates(kind: str) -> None:
    fault = Fault(kind=kind)
    assert fault.variant in (*KINDS[kind].variants, "")
    assert KINDS[kind].imitates


@pytest.mark.parametrize(
    ("path", "route", "pool"),
    [
        pytest.param(CLUSTER, "managedCluster", "", id="cluster"),
        pytest.param(f"{CLUSTER}/agentPools", "agentPools", "", id="list"),
        pytest.param(f"{CLUSTER}/agentPools/ws1", "agentPool", "ws1", id="pool"),
        pytest.param(f"{CLUSTER}/agentPools/ws1/abort", "abort", "ws1", id="abort"),
        pytest.param("/subscriptions/s/providers/Microsoft.Compute/skus", "skus", "", id="skus"),
        pytest.param("/subscriptions/s/providers/Microsoft.Compute/locations/l/usages", "usages", "", id="usages"),
        pytest.param("/a/b/locations/eastus/operations/1", "operation", "", id="operation"),
        pytest.param("/somewhere", "other", "", id="unknown"),
    ],
)
def test_requests_are_classified_by_their_path(path: str, route: str, pool: str) -> None:
    assert target_of("GET", path) == Target(pool=pool, method="GET", route=route)


def test_a_fault_that_is_used_up_can_still_be_read_from_the_records() -> None:
    taken = take([Fault(kind="throttled", times=1)], ["throttled"], PUT_WS1)
    assert taken is not None and Fault.model_validate(taken.model_dump()) == taken
