"""Every way to get the nodes is a whole plan of its own, made for its machine."""

from typing import Any

import pytest

from activities.contract.plan import Deadlines, Option, Plan
from activities.nodes.aks.agent_pool_spec import pool_of
from activities.planning.fallbacks import all_options
from activities.planning.options import plan_option
from api.providers import Provider
from api.purchasing import PurchaseOption, purchase_options, spot_price
from presets.plan.context import PlanContext

A100, H100, T4 = "Standard_NC24ads_A100_v4", "Standard_NC40ads_H100_v5", "Standard_NC4as_T4_v3"
OURS = "modelyard.dev/"


def options(provider: Provider = "aks", preset: str = "phi-4", **annotations: str) -> list[Option]:
    keys = {OURS + key.replace("_", "-"): value for key, value in annotations.items()}
    document: dict[str, Any] = {
        "apiVersion": "kaito.sh/v1beta1",
        "kind": "Workspace",
        "metadata": {"name": "w", "namespace": "default", "uid": "u", "generation": 1, "annotations": keys},
        "resource": {"instanceType": A100, "count": 2, "labelSelector": {"matchLabels": {"apps": "w"}}},
        "inference": {"preset": {"name": preset}},
    }
    around = PlanContext(region="eastus", provider=provider)

    def planned(found: Any) -> Option:
        return plan_option(found, around, Deadlines())

    first = planned(document)
    first = first.model_copy(update={"plan": first.plan.model_copy(update={"digest": "d"})})
    return all_options(first, document, planned)


def plans(provider: Provider = "aks", **annotations: str) -> list[Plan]:
    return [option.plan for option in options(provider, **annotations)]


def test_without_annotations_there_is_one_option_and_the_digest_stays() -> None:
    [only] = plans()
    assert (only.instance_type, only.spot, only.zones, only.digest) == (A100, False, (), "d")
    properties = pool_of(only).properties
    assert properties is not None and properties.scale_set_priority is None


def test_machines_come_before_capacity_types_before_zones() -> None:
    found = plans(instance_type_fallbacks=H100, capacity_types="spot,on-demand", zones="2,any")
    assert [(one.instance_type, one.spot, one.zones) for one in found] == [
        (machine, spot, zone) for machine in (A100, H100) for spot in (True, False) for zone in (("2",), ())
    ]
    assert found[0].digest == found[3].digest == "d" != found[4].digest, "the pods follow from the machine"


def test_another_machine_has_its_own_layout_price_and_quota() -> None:
    one, other = options(instance_type_fallbacks=f"{H100}, {A100}")
    first, second = one.plan, other.plan
    assert (first.vcpu_family, second.vcpu_family) == ("StandardNCADSA100v4Family", "StandardNCadsH100v5Family")
    assert first.price_per_hour != second.price_per_hour
    assert (one.report.instance_type, other.report.instance_type) == (A100, H100)


def test_a_machine_that_cannot_serve_the_model_is_kept_with_its_reason() -> None:
    refused = options(instance_type_fallbacks=T4)[1]
    assert refused.plan.instance_type == T4
    assert refused.refused is not None and refused.refused.reason == "DoesNotFit"


def test_a_spot_pool_is_requested_with_the_limit_for_each_node() -> None:
    [spot] = plans(capacity_types="spot", max_price_per_hour="3.00003", zones="1", replicas="2")
    properties = pool_of(spot).properties
    assert properties is not None
    assert (properties.scale_set_priority, properties.scale_set_eviction_policy) == ("Spot", "Delete")
    assert (properties.spot_max_price, properties.availability_zones) == (1.50001, ["1"])
    assert spot.price_per_hour is None, "what spot costs is not known beforehand"


def test_the_provisioner_of_claims_chooses_zones_and_capacity() -> None:
    assert len(options("karpenter", instance_type_fallbacks=H100, capacity_types="spot,on-demand", zones="1,2")) == 2


@pytest.mark.parametrize(("limit", "nodes", "price"), [(None, 2, -1.0), (7.0, 2, 3.5), (1.0, 3, 0.33333)])
def test_azure_takes_five_places(limit: float | None, nodes: int, price: float) -> None:
    assert spot_price(limit, nodes) == price


def test_the_same_option_twice_is_one() -> None:
    assert purchase_options("A", {OURS + "instance-type-fallbacks": "B,A"}) == (
        PurchaseOption("A"),
        PurchaseOption("B"),
    )
