"""From a Workspace to a Plan, and every reason why there is none."""

import copy
from typing import Any

import pytest
from temporalio.exceptions import ApplicationError

from activities.contracts import Deadlines
from activities.planning import digest_of, parsed, plan_of

UID = "0b6f3c1e-5c1f-4c8e-9a55-6f0d3f8d1a11"


def a_workspace(**changes: Any) -> dict[str, Any]:
    document: dict[str, Any] = {
        "apiVersion": "kaito.sh/v1beta1",
        "kind": "Workspace",
        "metadata": {"name": "w", "namespace": "default", "uid": UID, "generation": 3},
        "resource": {
            "instanceType": "standard_nc24ads_a100_v4",
            "labelSelector": {"matchLabels": {"apps": "w", "kaito.sh/workspace": "other"}},
        },
        "inference": {"preset": {"name": "phi-4"}},
    }
    for path, value in changes.items():
        *parents, last = path.split("__")
        place = document
        for parent in parents:
            place = place[parent]
        if value is None:
            place.pop(last)
        else:
            place[last] = value
    return document


def planned(document: dict[str, Any]) -> Any:
    return plan_of(parsed(document), "eastus", Deadlines())


def test_a_plan_has_azures_spelling_a_price_and_a_pool_of_its_own() -> None:
    plan = planned(a_workspace())
    assert plan.instance_type == "Standard_NC24ads_A100_v4"
    assert plan.model == "microsoft/phi-4"
    assert (plan.generation, plan.node_count, plan.gpus_per_node) == (3, 1, 1)
    assert plan.price_per_hour == pytest.approx(3.673)
    assert plan.pool_name.startswith("ws") and len(plan.pool_name) == 12
    assert plan.node_labels == {"apps": "w"}, "KAITO's own keys are not the user's to set"
    assert plan.max_model_len == 16384


REFUSED = [
    pytest.param({"inference": None}, "SectionMissing", "neither", id="no section"),
    pytest.param({"tuning": {"input": {}, "output": {}}}, "SectionMissing", "both", id="both sections"),
    pytest.param({"inference__preset__name": "phi-44"}, "PresetUnknown", "phi-4", id="unknown preset"),
    pytest.param({"resource__instanceType": "Standard_NC24ads_A100_v5"}, "InstanceTypeUnknown",
                 "did you mean", id="sku"),
    pytest.param({"resource__instanceType": None}, "InstanceTypeMissing", "Standard_NC24ads", id="no sku"),
    pytest.param({"resource__count": 0}, "InvalidSpec", "1 or more", id="count"),
    pytest.param({"inference__template": {}}, "InvalidSpec", "exactly one", id="preset and template"),
    pytest.param({"resource__labelSelector": {"matchLabels": {"kubernetes.io/role": "x"}}}, "InvalidSpec",
                 "kubernetes.io/role", id="label that a kubelet refuses"),
    pytest.param({"inference__preset": {"name": "llama-3.1-8b-instruct"}}, "ModelGated",
                 "modelAccessSecret", id="gated"),
    pytest.param({"inference__preset": {"name": "falcon-40b"}, "resource__instanceType": "Standard_NV36ads_A10_v5"},
                 "DoesNotFit", "GiB", id="too large"),
    pytest.param({"inference__presett": {}}, "InvalidSpec", "presett", id="unknown field"),
]  # fmt: skip


@pytest.mark.parametrize(("changes", "reason", "says"), REFUSED)
def test_a_workspace_that_cannot_work_is_refused_with_what_to_change(
    changes: dict[str, Any], reason: str, says: str
) -> None:
    with pytest.raises(ApplicationError) as caught:
        planned(a_workspace(**changes))
    assert caught.value.type == reason
    assert says in caught.value.message
    assert caught.value.non_retryable


def test_the_digest_follows_what_shapes_the_pods_and_nothing_else() -> None:
    document, images = a_workspace(), ("r", "f")
    digest = digest_of(document, "", images)
    relabelled = copy.deepcopy(document)
    relabelled["metadata"]["labels"] = {"team": "a"}
    assert digest_of(relabelled, "", images) == digest
    assert digest_of(document, '{"max-model-len": 100}', images) != digest
    assert digest_of(document, "", ("r2", "f")) != digest
    assert digest_of(a_workspace(resource__count=2), "", images) != digest
