"""What a real API server says of the chart: every object by dry run, its pods by Pod Security, upgrades by Helm.

Nothing runs: there are no controllers and no nodes.
"""

import base64
import json
import shlex
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import yaml

from activities.clients.kubernetes import Cluster
from admin.webhook.registration import Registration
from api.resource.cel import without_rules
from deploy.local.cluster.older_kubernetes import MINIMUM_MINOR
from deploy.local.host.commands import CommandFailed
from deploy.local.kubernetes.binaries import require_binaries
from deploy.local.services.chart import CHART, RELEASE
from deploy.local.services.pods import NAMESPACE
from process.x509 import make_authority
from testing import crds
from testing.api_server import api_server_alone
from testing.helm_client import Helm, HelmFailed, Object, named, of_kind, values
from testing.kubectl_client import Kubectl
from testing.workspaces import workspace
from tests.unit.prose.test_commands import typed

# Nobody would ever end the removal of the plugin's namespace.
VALUES = values("aks", "devicePlugin.enabled=false")
DEFINITION = "workspaces.kaito.sh"
RESTRICTED = "pod-security.kubernetes.io/enforce=restricted"


@pytest.fixture(scope="module")
def kubectl(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kubectl]:
    """In the chart's namespace, which takes restricted pods only. The server is this file's own, because the chart
    holds for a whole one."""
    folder = tmp_path_factory.mktemp("kubectl")
    with api_server_alone(tmp_path_factory.mktemp("chart-api-server")) as layout:
        if (minor := require_binaries(layout).minor) < MINIMUM_MINOR:
            pytest.skip(f"the chart is for Kubernetes 1.{MINIMUM_MINOR} and later, and this one is 1.{minor}")
        found = Kubectl(layout.admin_kubeconfig, folder, folder, NAMESPACE)
        found("create", "namespace", NAMESPACE)
        found("label", "namespace", NAMESPACE, RESTRICTED)
        found("create", "serviceaccount", "default")  # by a controller, elsewhere
        for definition in crds.definitions():
            found.send("apply", definition, "--server-side")
            found.await_served(definition["metadata"]["name"])
        yield found


@pytest.fixture
def installed(helm: Helm, kubectl: Kubectl) -> Iterator[Helm]:
    """Helm, with the chart installed with the values for AKS."""
    here = replace(helm, kubeconfig=kubectl.kubeconfig)
    here("install", RELEASE, str(CHART), "--namespace", NAMESPACE, *VALUES)
    yield here
    here("uninstall", RELEASE, "--namespace", NAMESPACE, "--ignore-not-found")


@pytest.fixture
async def cluster(kubectl: Kubectl) -> AsyncIterator[Cluster]:
    connected = await Cluster.connect(str(kubectl.kubeconfig), direct=True)
    yield connected
    await connected.close()


def test_the_api_server_would_take_every_object(rendered: tuple[Object, ...], kubectl: Kubectl, tmp_path: Path) -> None:
    file = tmp_path / "all.yaml"
    # A dry run leaves no namespace behind, so that what lies in one of its own is asked about in the chart's.
    file.write_text(yaml.safe_dump_all(each | {"metadata": _moved(each["metadata"])} for each in rendered))
    said = kubectl("apply", "--server-side", "--dry-run=server", "--validate=strict", "-f", str(file))
    assert said.count("serverside-applied (server dry run)") == len(rendered)


def test_it_refuses_a_field_that_a_kind_of_others_does_not_have(helm: Helm, kubectl: Kubectl) -> None:
    certificate = named(helm.rendered("own-cluster"), "Certificate", "modelyard-admin")
    wrong = certificate | {"spec": certificate["spec"] | {"dnsName": "modelyard-admin"}}
    with pytest.raises(CommandFailed, match=r"spec\.dnsName: field not declared"):
        kubectl.send("apply", wrong, "--server-side", "--dry-run=server", "--validate=strict")


def _moved(metadata: Object) -> Object:
    return metadata | ({"namespace": NAMESPACE} if "namespace" in metadata else {})


def test_pods_are_admitted_where_only_restricted_ones_are(installed: Helm, kubectl: Kubectl) -> None:
    workloads = of_kind(installed.rendered("aks"), "Deployment") + of_kind(
        installed.rendered("air-gapped"), "StatefulSet"
    )
    assert len(workloads) == 6
    for workload in workloads:
        assert "created (server dry run)" in kubectl.send("create", pod_of(workload), "--dry-run=server")
    loose = pod_of(workloads[0])
    loose["spec"]["containers"][0]["securityContext"]["allowPrivilegeEscalation"] = True
    with pytest.raises(CommandFailed, match="violates PodSecurity"):
        kubectl.send("create", loose, "--dry-run=server")


def pod_of(workload: Object) -> Object:
    """As the controller makes it, with volumes in the place of claims."""
    template: Object = json.loads(json.dumps(workload["spec"]["template"]))
    template["metadata"] |= {"name": workload["metadata"]["name"]}
    claims = [each["metadata"]["name"] for each in workload["spec"].get("volumeClaimTemplates", [])]
    template["spec"]["volumes"] += [{"name": name, "emptyDir": {}} for name in claims]
    return {"apiVersion": "v1", "kind": "Pod", **template}


async def test_an_upgrade_leaves_the_webhooks_certificates_alone(
    installed: Helm, kubectl: Kubectl, cluster: Cluster
) -> None:
    """The process writes the bundle into an object that Helm applies: neither may undo the other."""
    bundle = make_authority("authority", now=datetime.now(UTC), lifetime=timedelta(days=1)).certificate
    registration = Registration(cluster, "modelyard")
    found = await registration.read()
    assert found is not None and await registration.correct(found, bundle)
    corrected = await registration.read()
    installed("upgrade", RELEASE, str(CHART), "--namespace", NAMESPACE, *VALUES, "--set", "watcher.replicas=3")
    after = await registration.read()
    assert after is not None and corrected is not None
    assert after.body["webhooks"] == corrected.body["webhooks"]
    assert base64.b64decode(after.body["webhooks"][0]["clientConfig"]["caBundle"]) == bundle
    assert kubectl("get", "deployment", "modelyard-watcher", "-o", "jsonpath={.spec.replicas}") == "3"
    installed("rollback", RELEASE, "1", "--namespace", NAMESPACE)
    back = await registration.read()
    assert back is not None and back.body["webhooks"] == corrected.body["webhooks"]
    assert kubectl("get", "deployment", "modelyard-watcher", "-o", "jsonpath={.spec.replicas}") == "2"


def test_an_upgrade_changes_the_definition_and_an_uninstallation_keeps_it(
    installed: Helm, kubectl: Kubectl, tmp_path: Path
) -> None:
    definition = ("crd", DEFINITION, "-o", "jsonpath={.spec.names.shortNames}")
    before = kubectl("get", *definition)
    chart = tmp_path / "chart"
    _copied(CHART, chart)
    file = chart / "files" / "crd.yaml"
    document = yaml.safe_load(file.read_text())
    document["spec"]["names"]["shortNames"] = [*document["spec"]["names"].get("shortNames", []), "wsnew"]
    file.write_text(yaml.safe_dump(document))
    installed("upgrade", RELEASE, str(chart), "--namespace", NAMESPACE, *VALUES)
    assert "wsnew" in kubectl("get", *definition) and "wsnew" not in before
    installed("uninstall", RELEASE, "--namespace", NAMESPACE)
    assert "wsnew" in kubectl("get", *definition)
    assert kubectl("get", "deployments,services,serviceaccounts", "-o", "name", "-l", "app.kubernetes.io/part-of") == ""


def _copied(source: Path, target: Path) -> None:
    for file in source.rglob("*"):
        if file.is_file():
            copy = target / file.relative_to(source)
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.write_bytes(file.read_bytes())


def test_a_second_installation_is_refused_beside_the_first(installed: Helm) -> None:
    with pytest.raises(HelmFailed, match="cannot be imported into the current release"):
        installed("install", "other", str(CHART), "--namespace", "default", *VALUES)


def test_kaitos_definition_is_handed_over_as_the_page_says(helm: Helm, kubectl: Kubectl) -> None:
    """Helm refuses one of nobody's; what lies in it stays."""
    kubectl("delete", "crd", DEFINITION, "--ignore-not-found")
    [ours] = of_kind(helm.rendered("aks"), "CustomResourceDefinition")
    kubectl.send("create", without_rules(ours) | {"metadata": {"name": DEFINITION}})
    kubectl.await_served(DEFINITION)
    kept = workspace("kept")
    kubectl.send("create", kept | {"metadata": kept["metadata"] | {"namespace": NAMESPACE}})
    uid = ("get", "workspace", "kept", "-o", "jsonpath={.metadata.uid}")
    before, here = kubectl(*uid), replace(helm, kubeconfig=kubectl.kubeconfig)
    install = ("install", RELEASE, str(CHART), "--namespace", NAMESPACE, *VALUES)
    with pytest.raises(HelmFailed, match="invalid ownership metadata"):
        here(*install)
    lines = [shlex.split(line) for line in typed("migrate-from-kaito") if f"crd {DEFINITION}" in line]
    assert [words[:2] for words in lines] == [["kubectl", "label"], ["kubectl", "annotate"]]
    for _, *words in lines:
        kubectl(*words)
    here(*install, "--force-conflicts")
    assert kubectl(*uid) == before
    assert json.loads(kubectl("get", "crd", DEFINITION, "-o", "json"))["spec"] != without_rules(ours)["spec"]
    here("uninstall", RELEASE, "--namespace", NAMESPACE)
    assert kubectl(*uid) == before
    kubectl("delete", "workspace", "kept")
