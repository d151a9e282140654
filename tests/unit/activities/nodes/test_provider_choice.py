"""Which provider a Workspace has, and that a workflow can treat all of them alike."""

from typing import get_type_hints

import pytest
from temporalio.exceptions import ApplicationError

from activities.contract.nodes import PoolBought, PoolKey, Released
from activities.contract.plan import Plan
from activities.contract.providers import STEPS
from activities.nodes.aks.provider import AgentPools
from activities.nodes.byo.provider import OwnNodes
from activities.nodes.karpenter.provider import NodeClaims
from activities.nodes.provider import NodeProvider, node_selector, nodes_selector, provider_of
from api.providers import Provider
from tests.builders import UID, a_plan

OURS, KAITOS = "modelyard.dev/node-provider", "kaito.sh/node-provisioner"


@pytest.mark.parametrize(
    ("annotations", "installed", "held", "expected"),
    [
        pytest.param({}, "aks", None, "aks", id="the installation's"),
        pytest.param({OURS: "byo"}, "aks", None, "byo", id="the annotation wins"),
        pytest.param({KAITOS: "azure-gpu-provisioner"}, "aks", None, "karpenter", id="KAITO's word"),
        pytest.param({OURS: "karpenter", KAITOS: "azure-gpu-provisioner"}, "aks", None, "karpenter", id="both agree"),
        pytest.param({OURS: " BYO "}, "aks", None, "byo", id="spelling"),
        pytest.param({OURS: ""}, "karpenter", None, "karpenter", id="an empty annotation is none"),
        pytest.param({}, "karpenter", "aks", "aks", id="kept when the installation changes"),
        pytest.param({OURS: "aks"}, "karpenter", "aks", "aks", id="kept and asked for"),
    ],
)
def test_a_workspace_has_one_provider(
    annotations: dict[str, str], installed: Provider, held: Provider | None, expected: Provider
) -> None:
    assert provider_of(annotations, installed=installed, held=held) == expected


@pytest.mark.parametrize(
    ("annotations", "held", "words"),
    [
        pytest.param({OURS: "gcp"}, None, "use one of aks, azure-gpu-provisioner, byo, karpenter", id="unknown"),
        pytest.param({OURS: "byo", KAITOS: "karpenter"}, None, "contradict each other", id="contradiction"),
        pytest.param({KAITOS: "byo"}, "aks", "keeps its provider for life", id="changed"),
    ],
)
def test_an_invalid_provider_is_refused_with_the_fix(
    annotations: dict[str, str], held: Provider | None, words: str
) -> None:
    with pytest.raises(ApplicationError, match=words) as refused:
        provider_of(annotations, installed="aks", held=held)
    assert refused.value.type == "InvalidSpec"
    assert next(iter(annotations)) in refused.value.message


def test_every_providers_activities_take_and_give_the_same() -> None:
    for steps in STEPS.values():
        assert (steps.ensure.argument, steps.ensure.result) == (Plan, PoolBought)
        assert (steps.release.argument, steps.release.result) == (PoolKey, Released)
        assert steps.ensure.waits and steps.ensure.effects and steps.release.waits and steps.release.effects
    names = [signature.name for steps in STEPS.values() for signature in (steps.ensure, steps.release)]
    assert len(set(names)) == len(names)


@pytest.mark.parametrize("provider", [AgentPools, NodeClaims, OwnNodes])
def test_a_provider_implements_the_protocol(provider: type) -> None:
    for method in ("ensure_node_pool", "delete_node_pool", "read_held"):
        assert get_type_hints(getattr(provider, method)) == get_type_hints(getattr(NodeProvider, method))


def test_pods_and_waits_find_a_workspaces_nodes_by_the_same_label() -> None:
    for provider in ("aks", "karpenter"):
        plan = a_plan(provider=provider)
        assert node_selector(plan) == {"modelyard.dev/workspace-uid": UID}
        assert nodes_selector(plan.key.uid, plan.provider) == f"modelyard.dev/workspace-uid={UID}"
    plan = a_plan(provider="byo", gpus_per_node=2)
    assert node_selector(plan) == {f"gpus.modelyard.dev/{UID}": "2"}
    assert nodes_selector(plan.key.uid, plan.provider) == f"gpus.modelyard.dev/{UID}"
