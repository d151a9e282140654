"""Who reaches whom by the chart's NetworkPolicies, as a network that enforces them would decide.

None of the stacks here has such a network, so that only the decision is tried, not its enforcement.
"""

import ipaddress
from typing import Any, Final

import pytest

from activities.manifests.serving import workload_objects
from activities.manifests.tuning import Tuning, TuningPodSettings, job
from api.configs.training import parse_training_config
from api.pods.data import DATA_PORT
from api.pods.publish import PUBLISH_PORT
from api.pods.serve import SERVE_PORT
from api.pods.tune import TUNE_PORT
from api.pods.weights import FETCH_PORT
from api.resource.data import DataDestination, DataSource
from deploy.local.services.pods import NAMESPACE
from testing.helm_client import Helm, Object, named, of_kind
from testing.pods.inputs import IMAGES, PINNED
from tests.builders import a_key, a_plan

METADATA: Final = ("169.254.169.254", "168.63.129.16", "fd00:ec2::254")
SERVED: Final = a_plan(a_key("uid-1", namespace="team-a"), model="org/m", served_model_name="m", digest="d1")
TRAINED: Final = a_plan(
    a_key("uid-2", namespace="team-b"), kind="tuning", model="org/m", gpus_per_node=2, digest="d1", method="lora",
    output_image="registry/facts:1", volume_gib=10,
)  # fmt: skip
TUNING: Final = Tuning(
    preset="m",
    input=DataSource(urls=["http://data/rows.jsonl"]),
    output=DataDestination(image="registry/facts:1", image_push_secret="push"),
    config=parse_training_config("training_config: {}"),
)
GATEWAY: Final = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "gateway"}}}
CONTROL_PLANE: Final = {"ipBlock": {"cidr": "192.0.2.0/28"}}


def serving_pod() -> Object:
    made = dict(workload_objects(SERVED, PINNED, {}, None, IMAGES))["Deployment"]
    return dict(made["spec"]["template"])


def training_pod(part: Any = "train") -> Object:
    settings = TuningPodSettings(tune_image="tune:1", data_image="data:1")
    return dict(job(TRAINED, part, "digest", TUNING, PINNED, settings, IMAGES)["spec"]["template"])


def selects(selector: Object, labels: dict[str, str]) -> bool:
    """As the API's LabelSelector is defined."""
    matched = all(labels.get(key) == value for key, value in selector.get("matchLabels", {}).items())
    exists = {"Exists": True, "DoesNotExist": False}
    return matched and all(
        (each["key"] in labels) is exists[each["operator"]] for each in selector.get("matchExpressions", [])
    )


def rules(objects: tuple[Object, ...], direction: str, namespace: str, labels: dict[str, str]) -> list[Object]:
    """All rules of policies that select a pod; what one allows is allowed."""
    policies = [
        each["spec"]
        for each in of_kind(objects, "NetworkPolicy")
        if each["metadata"]["namespace"] == namespace and selects(each["spec"]["podSelector"], labels)
    ]
    assert any(direction.capitalize() in each["policyTypes"] for each in policies), "everything would be allowed"
    return [rule for each in policies for rule in each.get(direction) or []]


def reaches(rule: Object, address: str, port: int) -> bool:
    """Whether a rule of egress allows an address outside of the cluster."""
    if "ports" in rule and port not in [each["port"] for each in rule["ports"]]:
        return False
    found, blocks = ipaddress.ip_address(address), [each["ipBlock"] for each in rule.get("to", []) if "ipBlock" in each]
    return "to" not in rule or any(
        found in ipaddress.ip_network(block["cidr"])
        and not any(found in ipaddress.ip_network(one) for one in block.get("except", []))
        for block in blocks
    )


def peers(found: list[Object], port: int) -> list[Any]:
    """Those who may come in to a port; None for everybody."""
    return [
        peer
        for rule in found
        if port in [each["port"] for each in rule.get("ports", [{"port": port}])]
        for peer in rule.get("from") or [None]
    ]


@pytest.mark.parametrize("address", METADATA)
def test_a_pod_learns_no_identity_of_its_nodes(helm: Helm, address: str) -> None:
    rendered = helm.rendered("own-cluster")
    pods = [("team-a", serving_pod()["metadata"]["labels"]), ("team-b", training_pod()["metadata"]["labels"])]
    for deployment in of_kind(rendered, "Deployment"):
        pods.append((NAMESPACE, deployment["spec"]["template"]["metadata"]["labels"]))
    assert len(pods) == 6
    for namespace, labels in pods:
        allowed = rules(rendered, "egress", namespace, labels)
        assert not any(reaches(rule, address, port) for rule in allowed for port in (80, 443, 32526))
        assert any(reaches(rule, "203.0.113.9", 443) for rule in allowed)


def test_only_the_cloud_worker_may_be_let_to_the_metadata(helm: Helm) -> None:
    rendered = helm.rendered("aks", "networkPolicies.enabled=true", "networkPolicies.egress.metadata=true")
    found = {
        each["metadata"]["name"]
        for each in of_kind(rendered, "NetworkPolicy")
        if any(reaches(rule, METADATA[0], 80) for rule in each["spec"].get("egress", []))
    }
    assert found == {"modelyard-worker-cloud"}


@pytest.mark.parametrize(
    ("process", "ports"),
    [
        ("watcher", {53, 443, 6443, 7233}),
        ("worker-cluster", {53, 443, 6443, 7233}),
        ("worker-cloud", {53, 443, 7233}),
        ("admin", {53, 443, 6443, 7233}),
        ("webhook", {53, 443, 6443}),
    ],
)
def test_a_process_reaches_what_it_needs(helm: Helm, process: str, ports: set[int]) -> None:
    rendered = helm.rendered("aks", "networkPolicies.enabled=true")
    allowed = named(rendered, "NetworkPolicy", f"modelyard-{process}")["spec"]["egress"]
    assert {each["port"] for rule in allowed for each in rule["ports"]} == ports


def test_models_are_for_their_clients_and_status_ports_for_who_asks_for_them(helm: Helm) -> None:
    rendered = helm.rendered("own-cluster")
    labels = serving_pod()["metadata"]["labels"]
    allowed = rules(rendered, "ingress", "team-a", labels)
    assert GATEWAY in peers(allowed, SERVE_PORT) and CONTROL_PLANE in peers(allowed, SERVE_PORT)
    assert None not in peers(allowed, SERVE_PORT)
    status = peers(allowed, FETCH_PORT)
    assert CONTROL_PLANE in status and GATEWAY not in status and None not in status


@pytest.mark.parametrize(("part", "port"), [("train", TUNE_PORT), ("fetch", DATA_PORT), ("publish", PUBLISH_PORT)])
def test_nobody_but_the_api_server_asks_a_training(helm: Helm, part: str, port: int) -> None:
    allowed = rules(helm.rendered("own-cluster"), "ingress", "team-b", training_pod(part)["metadata"]["labels"])
    found = peers(allowed, port)
    assert CONTROL_PLANE in found and GATEWAY not in found and None not in found


def test_models_are_open_to_the_cluster_unless_it_is_said_for_whom_they_are(helm: Helm) -> None:
    rendered = helm.rendered("aks", "networkPolicies.enabled=true", "networkPolicies.models.namespaces={team-a}")
    allowed = rules(rendered, "ingress", "team-a", serving_pod()["metadata"]["labels"])
    assert None in peers(allowed, SERVE_PORT) and None not in peers(allowed, FETCH_PORT)


def test_other_pods_of_the_namespace_are_left_alone(helm: Helm) -> None:
    for each in of_kind(helm.rendered("own-cluster"), "NetworkPolicy"):
        assert not selects(each["spec"]["podSelector"], {"app": "somebody's"})


def test_the_embedded_temporal_reaches_nobody(helm: Helm) -> None:
    found = named(helm.rendered("embedded-temporal"), "NetworkPolicy", "modelyard-temporal")["spec"]
    assert (found["egress"], found["policyTypes"]) == ([], ["Ingress", "Egress"])


def test_only_those_who_are_named_reach_our_pods(helm: Helm) -> None:
    rendered = helm.rendered("own-cluster")
    ours = [each for each in of_kind(rendered, "NetworkPolicy") if each["metadata"]["namespace"] == NAMESPACE]
    assert len(ours) == len(of_kind(rendered, "Deployment"))
    [metrics] = named(rendered, "NetworkPolicy", "modelyard-watcher")["spec"]["ingress"]
    assert [metrics["ports"], len(metrics["from"])] == [[{"port": 8080}], 1]
    scrapes, people = named(rendered, "NetworkPolicy", "modelyard-admin")["spec"]["ingress"]
    assert [scrapes["ports"], people["ports"]] == [[{"port": 8080}], [{"port": 8443}]]
    assert scrapes["from"] != people["from"]
    assert {"ports": [{"port": 8443}]} in named(rendered, "NetworkPolicy", "modelyard-webhook")["spec"]["ingress"]
    closed = helm.rendered("embedded-temporal")
    assert named(closed, "NetworkPolicy", "modelyard-admin")["spec"]["ingress"] == []
