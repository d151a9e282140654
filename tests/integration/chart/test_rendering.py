"""The chart renders in every kind of installation, Kubernetes knows its objects, and bad values are refused."""

import copy
from typing import Any

import jsonschema
import kubernetes_validate
import pytest

from deploy.local.services.chart import CHART, RELEASE
from deploy.local.services.pods import NAMESPACE
from testing import crds
from testing.helm_client import VALUE_SETS, Helm, HelmFailed, Object, named, of_kind, values

WORKLOADS = ("Deployment", "StatefulSet", "DaemonSet")
VERSIONS = ("1.34", "1.35", "1.36", "1.37")
OF_OTHERS = {"Certificate", "PodMonitor", "PrometheusRule"}
"""Kinds that Kubernetes does not bring; each is in one of the sets."""


def test_there_are_five_kinds_of_installations() -> None:
    assert VALUE_SETS == ("air-gapped", "aks", "embedded-temporal", "own-cluster", "temporal-cloud")


def test_helm_finds_nothing_wrong(helm: Helm, value_set: str) -> None:
    said = helm("lint", "--strict", str(CHART), *values(value_set))
    assert "[WARNING]" not in said and "[ERROR]" not in said


@pytest.mark.parametrize("version", VERSIONS)
def test_every_object_fits_kubernetes_schemas(rendered: tuple[Object, ...], version: str) -> None:
    known = [each for each in rendered if not crds.is_of_others(each)]
    assert len(known) > 25
    for each in known:
        kubernetes_validate.validate(each, version, strict=True)


def test_every_object_of_others_fits_their_schemas(helm: Helm) -> None:
    found = [each for name in VALUE_SETS for each in helm.rendered(name) if crds.is_of_others(each)]
    assert {each["kind"] for each in found} == OF_OTHERS
    for each in found:
        crds.validate(each)


def test_a_field_that_kubernetes_does_not_know_is_noticed(helm: Helm) -> None:
    service = named(helm.rendered("aks"), "Service", "modelyard-admin")
    with pytest.raises(kubernetes_validate.ValidationError, match="selectr"):
        kubernetes_validate.validate(service | {"spec": {"selectr": {}}}, VERSIONS[-1], strict=True)


@pytest.mark.parametrize(
    ("kind", "path", "message"),
    [
        ("Certificate", "spec.dnsName", "dnsName"),
        ("Certificate", "spec.issuerRef.named", "named"),
        ("PodMonitor", "spec.podMetricsEndpoints.0.portt", "portt"),
        ("PodMonitor", "spec.podMetricsEndpoints.0.interval", "is not of type 'string'"),
        ("PrometheusRule", "spec.groups.0.rules.0.expression", "expression"),
    ],
)
def test_a_field_that_others_do_not_know_is_noticed(helm: Helm, kind: str, path: str, message: str) -> None:
    found = copy.deepcopy(of_kind(helm.rendered("own-cluster"), kind)[0])
    crds.validate(found)
    *way, last = path.split(".")
    place: Any = found
    for step in way:
        place = place[int(step) if step.isdigit() else step]
    place[last] = {}
    with pytest.raises(jsonschema.ValidationError, match=message):
        crds.validate(found)


def test_a_version_that_others_do_not_have_is_noticed(helm: Helm) -> None:
    [rule] = of_kind(helm.rendered("own-cluster"), "PrometheusRule")
    with pytest.raises(LookupError, match="v2"):
        crds.validate(rule | {"apiVersion": "monitoring.coreos.com/v2"})


def test_no_two_objects_are_the_same_one(rendered: tuple[Object, ...]) -> None:
    names = [(each["kind"], each["metadata"].get("namespace"), each["metadata"]["name"]) for each in rendered]
    assert len(set(names)) == len(names)


def test_a_namespace_that_is_named_twice_takes_part_once(helm: Helm) -> None:
    rendered = helm.rendered("aks", "namespaces={team-a,team-a}")
    names = [(each["kind"], each["metadata"].get("namespace"), each["metadata"]["name"]) for each in rendered]
    assert len(set(names)) == len(names)


def test_no_two_services_select_the_same_pods(rendered: tuple[Object, ...]) -> None:
    selectors = [str(each["spec"]["selector"]) for each in of_kind(rendered, "Service")]
    assert len(set(selectors)) == len(selectors)


@pytest.mark.parametrize(
    ("value_set", "setting", "message"),
    [
        ("aks", "azure.subscriptionId=", "Fix: --set azure.subscriptionId="),
        ("aks", "azure.clientId=", "Fix: --set azure.clientId="),
        ("own-cluster", "workerCloud.enabled=true", "azure.subscriptionId is empty"),
        ("aks", "workerCloud.enabled=false", "nobody would buy the nodes"),
        ("aks", "image.registry=", "image.registry is empty"),
        ("aks", "devicePlugin.image.tag=", "image nvidia/k8s-device-plugin has neither tag nor digest"),
        (
            "embedded-temporal",
            "temporal.embeddedServer.image.tag=",
            "image temporalio/temporal has neither tag nor digest",
        ),
        ("aks", "image.runtime.tag=latest", "the tag of image modelyard/runtime is `latest`"),
        ("aks", "temporal.address=", "temporal.address is empty"),
        ("aks", "temporal.embedded=true", "temporal.embedded starts a Temporal of its own"),
        ("embedded-temporal", "temporal.namespace=models", "has the namespace `default` only"),
        ("aks", "admin.certificate.source=secret", "it needs admin.certificate.secret"),
        ("aks", "admin.certificate.source=cert-manager", "it needs admin.certificate.issuer.name"),
        ("temporal-cloud", "temporal.tls.enabled=false", "the key would travel in the clear"),
        ("aks", "temporal.tls.enabled=false", "temporal.tls has settings and is not enabled"),
        ("temporal-cloud", "devicePlugin.enabled=true", "two device plugins"),
        ("own-cluster", "admin.hosts={https://models.example.com}", "'/admin/hosts/0'"),
        ("own-cluster", "admin.hosts={models.example.com:8443}", "'/admin/hosts/0'"),
        ("aks", f"devicePlugin.namespace={NAMESPACE}", "devicePlugin.namespace is the chart's own"),
        ("aks", "azure.pools.tags.Modelyard-uid=x", "are Modelyard's"),
        ("own-cluster", "workerCluster.autoscaling.maxReplicas=2", "workerCluster.autoscaling.maxReplicas is less"),
        ("aks", "watcher.autoscaling.enabled=true", "one watcher leads and the others wait"),
        ("aks", "webhook.certificate.source=secret", "Fix: set both, or source=own"),
        ("aks", "webhook.certificate.source=cert-manager", "Fix: name an issuer, or source=own"),
        ("own-cluster", "settings.registryIdentity.tenantId=x", "needs both tenantId and clientId"),
        ("aks", "watcher.replica=3", "'/watcher': additional properties 'replica' not allowed"),
        ("aks", "watcher.replicas=0", "'/watcher/replicas': minimum"),
        ("aks", "watcher.resources.limits.memory=512", "'/watcher/resources/limits/memory'"),
        ("aks", "azure.pools.osDiskType=Fast", "'/azure/pools/osDiskType': value must be one of"),
        ("aks", "azure.pools.subnetId=nodes", "'/azure/pools/subnetId'"),
        ("aks", "provider=gke", "'/provider': value must be one of 'aks', 'karpenter', 'byo'"),
        ("aks", "settings.deadlines.serve=5", "'/settings/deadlines': additional properties 'serve' not allowed"),
    ],
)
def test_values_that_cannot_work_are_refused_with_their_name(
    helm: Helm, value_set: str, setting: str, message: str
) -> None:
    with pytest.raises(HelmFailed) as refused:
        helm.rendered(value_set, setting)
    assert message in str(refused.value)


def test_everything_comes_from_one_registry_where_nothing_else_can_be_reached(helm: Helm) -> None:
    registry = "harbor.inside.example:8443/modelyard/"
    text = str(helm.rendered("air-gapped"))
    for outside in ("docker.io", "nvcr.io", "huggingface.co", "mcr.microsoft.com"):
        assert outside not in text
    pods = [each["spec"]["template"]["spec"] for each in of_kind(helm.rendered("air-gapped"), *WORKLOADS)]
    assert len(pods) == 6
    for pod in pods:
        assert all(container["image"].startswith(registry) for container in pod["containers"])
        assert pod["imagePullSecrets"] == [{"name": "harbor"}]


def test_who_installs_is_told_of_each_namespace_that_needs_a_pull_secret(helm: Helm) -> None:
    """The device plugin runs in a namespace of its own, and a pod pulls with Secrets of its own namespace only."""
    said = helm("install", RELEASE, str(CHART), "--dry-run=client", "--namespace", NAMESPACE, *values("air-gapped"))
    notes = said.partition("NOTES:")[2]
    pods = of_kind(helm.rendered("air-gapped"), *WORKLOADS)
    elsewhere = {pod["metadata"]["namespace"] for pod in pods} - {NAMESPACE}
    assert elsewhere == {"modelyard-device-plugin"}
    assert all(f"namespace {namespace}: harbor" in notes for namespace in elsewhere)


def test_an_older_kubernetes_is_refused(helm: Helm) -> None:
    with pytest.raises(HelmFailed, match="kubeVersion"):
        helm("template", "any", str(CHART), "--kube-version", "1.29", *values("aks"))
    assert helm("template", "any", str(CHART), "--kube-version", "v1.34.2-aks", *values("aks"))


def test_a_digest_is_taken_instead_of_the_tag(helm: Helm) -> None:
    digest = "sha256:" + "a" * 64
    deployment = named(helm.rendered("aks", f"image.controlPlane.digest={digest}"), "Deployment", "modelyard-watcher")
    [container] = deployment["spec"]["template"]["spec"]["containers"]
    assert container["image"] == f"contoso.azurecr.io/modelyard/control-plane@{digest}"


def test_a_certificate_of_cert_managers_is_for_addresses_too(helm: Helm) -> None:
    """Who asks by an address looks for it among the certificate's addresses, never among its names."""
    hosts = "admin.hosts={10.1.2.3,fd00::5,models.example.com}"
    given = named(helm.rendered("own-cluster", hosts), "Certificate", "modelyard-admin")
    assert given["spec"]["ipAddresses"] == ["10.1.2.3", "fd00::5"]
    assert given["spec"]["dnsNames"][-1] == "models.example.com" and len(given["spec"]["dnsNames"]) == 4
    crds.validate(given)


def test_the_definition_outlives_the_chart_and_can_be_left_to_others(helm: Helm) -> None:
    [definition] = of_kind(helm.rendered("aks"), "CustomResourceDefinition")
    assert definition["metadata"]["annotations"]["helm.sh/resource-policy"] == "keep"
    assert of_kind(helm.rendered("aks", "crds.install=false"), "CustomResourceDefinition") == []
