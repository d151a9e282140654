"""Who may create Workspaces and no pods gets no pod by a template; policy edits hold in the running webhook."""

import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from deploy.local.cluster.kubeconfigs import mint_kubeconfig
from deploy.local.host.commands import CommandFailed
from deploy.local.layout import Layout
from testing.deadlines import PATIENCE_S
from testing.kubectl_client import Kubectl
from testing.rights_in_effect import await_right
from testing.workspaces import workspace
from tests.integration.admission.conftest import Webhook

TENANT = "a-tenant"


def templated(name: str = "w", image: str = "vllm/vllm-openai:v1", **spec: Any) -> dict[str, Any]:
    made = workspace(name)
    pod = {"containers": [{"name": "c", "image": image}]} | spec
    return made | {"metadata": {"name": name}, "inference": {"template": {"spec": pod}}}


@pytest.fixture
def tenant(api_server: Layout, kubectl: Kubectl) -> Kubectl:
    """A user who may write Workspaces in a namespace, and nothing else."""
    verbs = "get,list,create,update,patch,delete"
    kubectl("create", "role", "workspaces", f"--verb={verbs}", "--resource=workspaces.kaito.sh")
    kubectl("create", "rolebinding", "workspaces", "--role=workspaces", f"--user={TENANT}")
    await_right(api_server, TENANT, "create", "workspaces", group="kaito.sh", namespace=kubectl.namespace)
    return replace(kubectl, kubeconfig=mint_kubeconfig(api_server, TENANT))


def may_create_pods(layout: Layout, kubectl: Kubectl) -> None:
    kubectl("create", "role", "pods", "--verb=create", "--resource=pods")
    kubectl("create", "rolebinding", "pods", "--role=pods", f"--user={TENANT}")
    await_right(layout, TENANT, "create", "pods", namespace=kubectl.namespace)


def refusal(kubectl: Kubectl, verb: str, obj: dict[str, Any]) -> str:
    with pytest.raises(CommandFailed) as error:
        kubectl.send(verb, obj)
    return str(error.value)


def test_a_right_to_workspaces_is_no_right_to_pods(
    api_server: Layout, webhook: Webhook, kubectl: Kubectl, tenant: Kubectl
) -> None:
    said = refusal(tenant, "create", templated())
    assert f"user '{TENANT}' may not create pods in namespace {kubectl.namespace}" in said
    preset = workspace("preset") | {"metadata": {"name": "preset"}}
    assert "created" in tenant.send("create", preset)
    may_create_pods(api_server, kubectl)
    assert "created" in tenant.send("create", templated())


def test_anothers_template_cannot_be_exchanged(webhook: Webhook, kubectl: Kubectl, tenant: Kubectl) -> None:
    kubectl.send("create", templated())
    assert "may not create pods" in refusal(tenant, "replace", templated(image="evil/image:1"))
    assert "annotated" in tenant("annotate", "workspace", "w", "modelyard.dev/retry=1")
    assert "deleted" in tenant("delete", "workspace", "w")


def test_a_right_to_pods_is_no_right_to_the_node(
    api_server: Layout, webhook: Webhook, kubectl: Kubectl, tenant: Kubectl
) -> None:
    may_create_pods(api_server, kubectl)
    for spec in ({"hostNetwork": True}, {"volumes": [{"name": "root", "hostPath": {"path": "/"}}]}):
        assert "inference.template.spec" in refusal(tenant, "create", templated(**spec))


def test_a_policy_that_is_edited_holds_without_a_restart(
    api_server: Layout, webhook: Webhook, kubectl: Kubectl, tmp_path: Path
) -> None:
    file = tmp_path / "policy.yaml"
    file.write_text("{}")
    webhook.stop()
    webhook.start(MODELYARD_POLICY=str(file))
    h100 = workspace("h", instance_type="Standard_NC40ads_H100_v5") | {"metadata": {"name": "h"}}
    assert "created" in kubectl.send("create", h100, "--dry-run=server")
    rules = f'[{{namespaces: [{kubectl.namespace}], rules: {{machineTypes: ["*_A100_v4"], dollarsPerHour: 10}}}}]'
    new = tmp_path / "new"
    new.write_text(f"contact: the platform team\nnamespaces: {rules}")
    new.rename(file)

    def refused() -> bool:
        try:
            kubectl.send("create", h100, "--dry-run=server")
        except CommandFailed as error:
            return "may buy *_A100_v4, not Standard_NC40ads_H100_v5. Ask the platform team" in str(error)
        return False

    deadline = time.monotonic() + PATIENCE_S
    while not refused():
        assert time.monotonic() < deadline, "the edit was not taken"
        time.sleep(0.2)
    three = workspace("three", replicas=3)
    del three["metadata"]["namespace"]
    assert "for $10.00 an hour" in refusal(kubectl, "create", three)
