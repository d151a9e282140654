"""The planner judges by the policy that holds when it plans, whatever admission has let through before."""

from typing import Any

import pytest

from api.configs.inference import INFERENCE_KEY
from api.policy.reading import parse_policy
from presets.plan.context import PlanContext
from presets.plan.document import PlanReport
from presets.plan.judge import plan_document

A100 = "Standard_NC24ads_A100_v4"
REPLICAS = "modelyard.dev/replicas"
A100S = "namespaces: [{namespaces: [small], rules: {machineTypes: ['Standard_NC*_A100_v4'], dollarsPerHour: 10}}]"


def planned(policy: str = A100S, config: str = "", replicas: int = 1, **resource: Any) -> PlanReport:
    document = {
        "apiVersion": "kaito.sh/v1beta1",
        "kind": "Workspace",
        "metadata": {"name": "w", "namespace": "small", "annotations": {REPLICAS: str(replicas)}},
        "resource": {"instanceType": A100, "labelSelector": {"matchLabels": {"a": "b"}}} | resource,
        "inference": {"preset": {"name": "phi-4"}} | ({"config": "c"} if config else {}),
    }
    config_maps = {"c": {"data": {INFERENCE_KEY: config}}}
    return plan_document(document, PlanContext(config_maps=config_maps, policy=parse_policy(policy)))


def test_a_policy_edited_after_admission_refuses_the_plan() -> None:
    h100 = "Standard_NC40ads_H100_v5"
    assert planned("", instanceType=h100).errors == ()
    [error] = planned(instanceType=h100).errors
    assert (error.reason, error.path) == ("PolicyRefused", "resource.instanceType")
    assert "not Standard_NC40ads_H100_v5. Ask the operator of Modelyard" in error.message


@pytest.mark.parametrize(
    "config", ["", "vllm: {max-model-len: 16384}", "vllm: {max-model-len: 1000000}", "vllm: {tensor-parallel-size: 8}"]
)
def test_a_config_map_edited_later_plans_no_third_node(config: str) -> None:
    plan = planned(config=config, replicas=2)
    assert plan.errors or (plan.nodes, plan.price_per_hour) == (2, 7.346)
    assert planned(config=config, replicas=3).errors


def test_a_third_node_is_refused_by_the_plan() -> None:
    assert planned(replicas=2).errors == ()
    assert [error.reason for error in planned(replicas=3).errors] == ["PolicyRefused"]
