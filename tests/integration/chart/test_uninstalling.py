"""docs/uninstall.md, step 3 and "gone already", as typed: nothing of ours is left, and no Workspace hangs.

An API server with Kubernetes' own controllers, so that namespaces end; there are no nodes, and our processes do not
run. What these release before, and that `sweep` then finds nothing, is tested where they run (`tests/e2e`,
`tests/integration/faults`).
"""

import shlex
import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any, Final

import pytest

from api import labels
from deploy.local.cluster.older_kubernetes import MINIMUM_MINOR
from deploy.local.host.commands import CommandFailed
from deploy.local.kubernetes.binaries import require_binaries
from deploy.local.services.chart import CHART, RELEASE
from deploy.local.services.pods import NAMESPACE
from testing import crds
from testing.api_server import control_plane
from testing.deadlines import PATIENCE_S
from testing.helm_client import Helm, values
from testing.kubectl_client import Kubectl
from testing.workspaces import workspace
from tests.unit.prose.test_commands import page, typed

COMES_AND_GOES: Final = ("events", "events.events.k8s.io", "leases.coordination.k8s.io")
CA: Final = "kube-root-ca.crt"
NAMES: Final = '{{range .items}}{{.kind}} {{.metadata.namespace}} {{.metadata.name}}{{"\\n"}}{{end}}'
KEPT: Final = {
    "CustomResourceDefinition <no value> workspaces.kaito.sh",
    *(f"APIService <no value> {version}.kaito.sh" for version in ("v1alpha1", "v1beta1")),
}
OF_A_NAMESPACE: Final = {
    f"Namespace <no value> {NAMESPACE}",
    f"ServiceAccount {NAMESPACE} default",
    f"ConfigMap {NAMESPACE} {CA}",
}


@pytest.fixture(scope="module")
def kubectl(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kubectl]:
    folder = tmp_path_factory.mktemp("kubectl")
    with control_plane(tmp_path_factory.mktemp("control-plane")) as layout:
        if (minor := require_binaries(layout).minor) < MINIMUM_MINOR:
            pytest.skip(f"the chart is for Kubernetes 1.{MINIMUM_MINOR} and later, and this one is 1.{minor}")
        found = Kubectl(layout.admin_kubeconfig, folder, folder, "default")
        for definition in crds.definitions():
            found.send("apply", definition, "--server-side")
            found.await_served(definition["metadata"]["name"])
        yield found


@pytest.fixture
def before(kubectl: Kubectl) -> set[str]:
    """What is there once controllers have made what they make for each namespace and each CustomResourceDefinition:
    what of it came later would count as left over."""
    deadline = time.monotonic() + PATIENCE_S
    while to_come(found := everything(kubectl)) and time.monotonic() < deadline:
        time.sleep(0.5)
    assert not to_come(found)
    return found


def to_come(found: set[str]) -> set[str]:
    """What controllers, and the API server itself, have still to make for what is there."""
    names = [(line.split()[0], line.split()[-1]) for line in found]
    spaces = [name for kind, name in names if kind == "Namespace"]
    wanted = {made for space in spaces for made in (f"ServiceAccount {space} default", f"ConfigMap {space} {CA}")}
    groups = {name.partition(".")[2] for kind, name in names if kind == "CustomResourceDefinition"}
    return (wanted - found) | (groups - {name.partition(".")[2] for kind, name in names if kind == "APIService"})


def create_without_webhook(kubectl: Kubectl, body: dict[str, Any]) -> None:
    """The API server hears of a registration's end by a watch of its own, a moment after the delete."""
    deadline = time.monotonic() + PATIENCE_S
    while True:
        try:
            kubectl.send("create", body)
            return
        except CommandFailed as error:
            if "failed calling webhook" not in str(error) or time.monotonic() > deadline:
                raise
        time.sleep(0.5)


def everything(kubectl: Kubectl) -> set[str]:
    """Kind, namespace and name of all objects that are there."""
    kinds = kubectl("api-resources", "--verbs=list", "--output=name").split()
    listed = ",".join(kind for kind in kinds if kind not in COMES_AND_GOES)
    return set(kubectl("get", listed, "--all-namespaces", f"--output=go-template={NAMES}").splitlines())


def come_to_be(kubectl: Kubectl, before: set[str], wanted: set[str]) -> set[str]:
    """What is there now and was not before, as soon as it is what is wanted, or when nobody would wait any longer."""
    deadline = time.monotonic() + PATIENCE_S
    while (found := everything(kubectl) - before) != wanted and time.monotonic() < deadline:
        time.sleep(0.5)
    return found


def steps(heading: str) -> list[list[str]]:
    """The words of each `helm` and `kubectl` line below a heading of the page."""
    text = page("uninstall").partition(f"## {heading}\n")[2].partition("\n## ")[0].replace("\\\n", " ")
    lines = [line for line in typed("uninstall") if line in text]
    return [shlex.split(line) for line in lines if line.startswith(("helm ", "kubectl "))]


def carry_out(helm: Helm, kubectl: Kubectl, words: list[str], **names: str) -> None:
    words = [names.get(word, word) for word in words]
    (helm if words[0] == "helm" else kubectl)(*words[1:])


@pytest.fixture
def installed(helm: Helm, kubectl: Kubectl) -> Helm:
    """Helm, with the chart and all that is optional in it; it stays unless the test takes it away."""
    here = replace(helm, kubeconfig=kubectl.kubeconfig)
    settings = ("dashboards.enabled=true", "alerts.enabled=true", "networkPolicies.enabled=true")
    kubectl("create", "namespace", NAMESPACE)
    here("install", RELEASE, str(CHART), "--namespace", NAMESPACE, *values("aks", *settings))
    return here


def test_nothing_is_left_when_modelyard_has_been_taken_away(
    before: set[str], installed: Helm, kubectl: Kubectl
) -> None:
    assert len(everything(kubectl) - before) > 50
    uninstall, crd, namespace = steps("3. Take Modelyard away")
    carry_out(installed, kubectl, uninstall)
    # The CRD is kept, because all Workspaces would go with it; the namespace is whose helm was told to use it.
    assert come_to_be(kubectl, before, KEPT | OF_A_NAMESPACE) == KEPT | OF_A_NAMESPACE
    carry_out(installed, kubectl, crd)
    carry_out(installed, kubectl, namespace)
    assert come_to_be(kubectl, before, set()) == set()


def test_a_workspace_that_hangs_goes_when_its_finalizer_is_taken_off_by_hand(
    before: set[str], installed: Helm, kubectl: Kubectl
) -> None:
    """Neither the CRD's rules stand in the way, nor a webhook that has gone with the chart. The Workspace is made when
    the chart has gone: before, nobody would answer for the webhook here."""
    uninstall, crd, namespace = steps("3. Take Modelyard away")
    carry_out(installed, kubectl, uninstall)
    body = workspace("left")
    body["metadata"] |= {"namespace": "default", "finalizers": [labels.WORKSPACE_FINALIZER]}
    create_without_webhook(kubectl, body)
    kubectl("delete", "workspace", "left", "--wait=false")
    assert kubectl("get", "workspace", "left", "--output=jsonpath={.metadata.deletionTimestamp}") != ""
    [patch] = steps("When Modelyard is gone already")
    carry_out(installed, kubectl, patch, NAME="left", NAMESPACE="default")
    assert kubectl("get", "workspaces", "--output=name") == ""
    carry_out(installed, kubectl, crd)
    carry_out(installed, kubectl, namespace)
    assert come_to_be(kubectl, before, set()) == set()
