"""What is taken and does nothing, or more than it seems, is said by the webhook, `validate` and `plan` alike."""

from typing import Any

import pytest

from api.configs.inference import INFERENCE_KEY
from api.validation.taken import taken
from presets.plan.context import PlanContext
from presets.plan.judge import notes, plan_document, problems_on_create

A100 = "Standard_NC24ads_A100_v4"
LB = "kaito.sh/enablelb"
RUNTIME, BENCHMARK = "kaito.sh/runtime", "kaito.sh/disable-benchmark"
FALLBACKS = "modelyard.dev/instance-type-fallbacks"


def a_workspace(annotations: dict[str, str] | None = None, **resource: Any) -> dict[str, Any]:
    return {
        "apiVersion": "kaito.sh/v1beta1",
        "kind": "Workspace",
        "metadata": {"name": "w", "namespace": "default", "annotations": annotations or {}},
        "resource": {"instanceType": "Standard_NC24ads_A100_v4", "labelSelector": {"matchLabels": {"a": "b"}}}
        | resource,
        "inference": {"preset": {"name": "phi-4-mini-instruct"}},
    }


def told(document: dict[str, Any], **around: Any) -> list[tuple[str, str]]:
    return [(note.path.removeprefix("metadata.annotations"), note.message) for note in notes(document, **around)]


@pytest.mark.parametrize(
    ("document", "path", "says"),
    [
        pytest.param(a_workspace(count=2), "resource.count", "one copy of the model", id="count"),
        pytest.param(a_workspace(preferredNodes=["n"]), "resource.preferredNodes", "labelSelector", id="nodes"),
        pytest.param(a_workspace({LB: "True"}), f"[{LB}]", "without a password", id="load balancer"),
        pytest.param(a_workspace({LB: "true"}), f"[{LB}]", 'only the value "True"', id="misspelled value"),
        pytest.param(a_workspace({RUNTIME: "transformers"}), f"[{RUNTIME}]", "vLLM serves", id="runtime"),
        pytest.param(a_workspace({BENCHMARK: "true"}), f"[{BENCHMARK}]", "no benchmark", id="benchmark"),
        pytest.param(a_workspace({"modelyard.dev/replica": "2"}), "[modelyard.dev/replica]",
                     "did you mean 'modelyard.dev/replicas'?", id="misspelled annotation"),
        pytest.param(a_workspace({FALLBACKS: "Standard_NC6s_v3"}), f"[{FALLBACKS}]",
                     "Azure retired it (NVIDIA V100) on 2025-09-30", id="retired"),
    ],
)  # fmt: skip
def test_it_is_said_and_refused_by_nobody(document: dict[str, Any], path: str, says: str) -> None:
    [(where, message)] = told(document)
    assert where == path and says in message
    assert problems_on_create(document) == []
    plan = plan_document(document, PlanContext())
    assert not plan.errors and message in [warning.message for warning in plan.warnings if warning.reason == "Note"]


@pytest.mark.parametrize(
    "annotations",
    [{}, {LB: "False"}, {"kaito.sh/runtime": "vllm"}, {"kaito.sh/model-streaming": "disabled"}, {"example.com/a": "b"},
     {"kaito.sh/performance-mode": "throughput"}, {"modelyard.dev/replicas": "2"}, {"modelyard.dev/zones": "1"}],
    ids=str,
)  # fmt: skip
def test_what_acts_or_asks_for_nothing_is_not_spoken_of(annotations: dict[str, str]) -> None:
    assert told(a_workspace(annotations, count=1)) == []


def test_a_retired_option_of_the_config_map_is_said() -> None:
    document = a_workspace()
    document["inference"]["config"] = "c"
    config_maps = {"c": {"data": {INFERENCE_KEY: "vllm: {swap-space: 4}"}}}
    [(path, message)] = told(document, config_maps=config_maps)
    assert path == "inference.config: vllm.swap-space" and "since vLLM 0.18" in message
    assert problems_on_create(document, config_maps=config_maps) == []
    plan = plan_document(document, PlanContext(config_maps=config_maps))
    assert not plan.errors and [warning.message for warning in plan.warnings] == [message]


def test_zones_mean_nothing_where_others_choose_them() -> None:
    document = a_workspace({"modelyard.dev/zones": "1"})
    assert [path for path, _ in told(document, provider="karpenter")] == ["[modelyard.dev/zones]"]


def test_every_note_fits_into_a_warning_of_the_api_server() -> None:
    for row in taken():
        assert len(f"metadata.annotations[{row.at}]: {row.note}") <= 256, row.at


@pytest.mark.parametrize("document", [None, 3, "x", {}, {"metadata": 3}, {"metadata": {"annotations": ["a"]}}])
def test_any_json_is_answered(document: Any) -> None:
    assert notes(document) == []


def test_what_a_template_leaves_unsaid_is_said_everywhere() -> None:
    template = {"template": {"spec": {"containers": [{"name": "a", "image": "example.com/a:1"}]}}}
    document = a_workspace(instanceType="Standard_D4s_v3") | {"inference": template}
    found = [message for _, message in told(document)]
    assert len(found) == 2 and "no container declares a TCP port" in found[0] and "no readinessProbe" in found[1]
    plan = plan_document(document, PlanContext())
    assert [warning.message for warning in plan.warnings] == found
