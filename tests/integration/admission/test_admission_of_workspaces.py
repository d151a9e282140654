"""What a user meets who applies a Workspace: it is taken, or refused with the sentence that says what to change."""

from typing import Any

import pytest

from deploy.local.host.commands import CommandFailed
from testing.kubectl_client import Kubectl
from testing.workspaces import workspace
from tests.integration.admission.conftest import Webhook

DENIED = "denied the request: "


def good(name: str = "w", version: str = "v1beta1") -> dict[str, Any]:
    made = workspace(name, preset="phi-4-mini-instruct")
    return made | {"apiVersion": f"kaito.sh/{version}", "metadata": {"name": name}}


def changed(obj: dict[str, Any], annotation: str, value: str) -> dict[str, Any]:
    return obj | {"metadata": obj["metadata"] | {"annotations": {annotation: value}}}


def refusal(kubectl: Kubectl, verb: str, obj: dict[str, Any]) -> str:
    with pytest.raises(CommandFailed) as error:
        kubectl.send(verb, obj)
    assert DENIED in str(error.value)
    return str(error.value).split(DENIED)[1]


@pytest.mark.parametrize("version", ["v1alpha1", "v1beta1"])
def test_a_good_workspace_is_taken(webhook: Webhook, kubectl: Kubectl, version: str) -> None:
    assert "created" in kubectl.send("create", good(version=version))


@pytest.mark.parametrize("version", ["v1alpha1", "v1beta1"])
def test_a_bad_one_is_refused_with_what_to_change(webhook: Webhook, kubectl: Kubectl, version: str) -> None:
    bad = good(version=version)
    bad["resource"]["instanceType"] = "Standard_Imaginary"
    bad["inference"] = {"preset": {"name": "no-such-model"}}
    said = refusal(kubectl, "create", bad)
    assert "Unsupported inference preset name" in said
    assert "inference.preset.name" in said
    assert "Unsupported instance type" in said


def test_every_line_of_the_message_arrives(webhook: Webhook, kubectl: Kubectl) -> None:
    bad = good() | {"tuning": None, "inference": {"preset": {"name": "a/b/c"}, "config": "No_Name"}}
    said = refusal(kubectl, "create", bad)
    assert "organisation/model of Hugging Face: inference.preset.name" in said
    assert "use lower-case letters, digits, '-' and '.': inference.config" in said


def test_an_edit_of_what_cannot_change_is_refused_and_nothing_is_stored(webhook: Webhook, kubectl: Kubectl) -> None:
    kubectl.send("create", good())
    said = refusal(kubectl, "apply", changed(good(), "modelyard.dev/node-provider", "karpenter"))
    assert "field is immutable: nodes come from aks" in said
    assert (
        kubectl("get", "workspace", "w", "-o", "jsonpath={.metadata.annotations.modelyard\\.dev/node-provider}") == ""
    )


def test_the_model_cannot_change_whoever_is_asked_first(webhook: Webhook, kubectl: Kubectl) -> None:
    """The CRD's rules are asked before the webhook, where the API server has them."""
    kubectl.send("create", good())
    with pytest.raises(CommandFailed, match="field is immutable; make another Workspace for another model"):
        kubectl.send("apply", good() | {"inference": {"preset": {"name": "phi-3.5-mini-instruct"}}})
    assert "phi-4-mini-instruct" in kubectl("get", "workspace", "w", "-o", "jsonpath={.inference.preset.name}")


def test_labels_and_finalizers_are_nobodys_business(webhook: Webhook, kubectl: Kubectl) -> None:
    kubectl.send("create", good())
    assert "labeled" in kubectl("label", "workspace", "w", "team=one")
    assert "patched" in kubectl("patch", "workspace", "w", "--type=merge", "-p", '{"metadata":{"finalizers":["a/b"]}}')


def test_a_dry_run_is_judged_too(webhook: Webhook, kubectl: Kubectl) -> None:
    with pytest.raises(CommandFailed, match="denied the request"):
        kubectl.send("create", good() | {"inference": {"preset": {"name": "no-such-model"}}}, "--dry-run=server")


def test_deprecated_fields_are_warned_of(webhook: Webhook, kubectl: Kubectl) -> None:
    given = good()
    given["resource"]["preferredNodes"] = ["node-a"]
    with pytest.raises(CommandFailed, match=r"Warning: resource\.preferredNodes: does nothing since v1beta1"):
        kubectl.send("create", given, "--warnings-as-errors")


def test_the_config_map_that_it_names_is_judged_with_it(webhook: Webhook, kubectl: Kubectl) -> None:
    named = good() | {"inference": {"preset": {"name": "phi-4-mini-instruct"}, "config": "serve"}}
    assert "ConfigMap 'serve' specified in 'config' not found" in refusal(kubectl, "create", named)
    kubectl("create", "configmap", "serve", "--from-literal=inference_config.yaml=vllm: {max-model-len: 9999999}")
    assert "max-model-len" in refusal(kubectl, "create", named)
    kubectl("delete", "configmap", "serve")
    kubectl("create", "configmap", "serve", "--from-literal=inference_config.yaml=vllm: {max-model-len: 2048}")
    assert "created" in kubectl.send("create", named)
