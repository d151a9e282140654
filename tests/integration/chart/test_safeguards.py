"""What AKS's Deployment Safeguards at level Enforce would say of the chart's objects, and of those made for Workspaces.

What fails is in a table of docs/install.md, with the way out: the table and what fails are the same here.
"""

import copy
import re
from collections import defaultdict
from pathlib import Path
from typing import Any, Final

import pytest

from activities.nodes.aks.agent_pool_spec import pool_of
from testing.helm_client import VALUE_SETS, Helm, Object
from testing.pods.safeguards import ALLOWED_IMAGES, NODE_EDITS, RULES, UNIQUE, Finding, findings
from testing.pods.shapes import objects
from tests.builders import a_plan

PAGE: Final = Path(__file__).parents[3] / "docs" / "install.md"
ROW: Final = re.compile(r"^\| ([^|]+) \| (refused|changed) \| ([^|]+) \| ([^|]+) \|$", re.MULTILINE)
WORKSPACES: Final = "those of Workspaces"
PLUGIN: Final = "`modelyard-device-plugin`"
CLUSTER: Final = "none: Nodes are in no namespace"
CHANGING: Final = {rule.name for rule in RULES if rule.changes}

Row = tuple[str, str, str, tuple[str, ...]]


@pytest.fixture(scope="module")
def installations(helm: Helm) -> dict[str, tuple[Object, ...]]:
    return {name: helm.rendered(name) for name in VALUE_SETS}


def of_workspaces() -> list[Object]:
    """With a node as AKS makes it of the pool that is asked for."""
    pool = pool_of(a_plan())
    taints = [{"key": taint.partition("=")[0]} for taint in pool.node_taints or []]
    assert taints
    node = {"kind": "Node", "metadata": {"name": "node", "labels": pool.node_labels or {}}, "spec": {"taints": taints}}
    return [*objects(), node]


def place_of(found: Finding) -> str:
    if found.rule == NODE_EDITS:
        return CLUSTER
    return PLUGIN if found.object == "DaemonSet modelyard-device-plugin" else WORKSPACES


def rows(found: list[Finding]) -> set[Row]:
    """As the page has them: rule, what Enforce does, namespaces, names."""
    names: dict[tuple[str, str], set[str]] = defaultdict(set)
    for one in found:
        names[(one.rule, place_of(one))].add(one.what)
    return {
        (rule, "changed" if rule in CHANGING else "refused", place, tuple(sorted(what)))
        for (rule, place), what in names.items()
    }


def test_the_page_names_what_fails_and_nothing_else(installations: dict[str, tuple[Object, ...]]) -> None:
    found = findings(of_workspaces())
    for rendered in installations.values():
        found += findings(rendered)
    written = {
        (rule, outcome, place, tuple(re.findall(r"`([^`]+)`", names)))
        for rule, outcome, place, names in ROW.findall(PAGE.read_text())
    }
    assert rows(found) == written


@pytest.mark.parametrize("name", VALUE_SETS)
def test_the_chart_keeps_every_rule_but_where_it_writes_on_nodes(
    installations: dict[str, tuple[Object, ...]], name: str
) -> None:
    """In its own namespace nothing needs an exemption."""
    kept = [one for one in findings(installations[name]) if place_of(one) == WORKSPACES]
    assert kept == []


@pytest.mark.parametrize("name", VALUE_SETS)
def test_every_pod_was_looked_at(installations: dict[str, tuple[Object, ...]], name: str) -> None:
    """Without its limits and probes each container would be found."""
    bare = copy.deepcopy([each for each in installations[name] if "template" in each.get("spec", {})])
    wanted = set()
    for workload in bare:
        for container in workload["spec"]["template"]["spec"]["containers"]:
            container["resources"] = {}
            wanted.add((f"{workload['kind']} {workload['metadata']['name']}", container["name"]))
    assert len(wanted) >= 4
    rule = "Kubernetes cluster containers CPU and memory resource requests must be defined"
    assert {(one.object, one.what) for one in findings(bare) if one.rule == rule} == wanted


def _deployment(container: dict[str, Any] | None = None, **pod: Any) -> Object:
    resources = {"requests": {"cpu": "100m", "memory": "100Mi"}, "limits": {"cpu": "1", "memory": "1Gi"}}
    probe = {"httpGet": {"path": "/", "port": 80}}
    good = {"name": "c", "image": "r/i:1", "resources": resources, "readinessProbe": probe, "livenessProbe": probe}
    spec = {"topologySpreadConstraints": [{}], "containers": [good | (container or {})]} | pod
    metadata = {"name": "d", "namespace": "n"}
    return {"kind": "Deployment", "metadata": metadata, "spec": {"replicas": 2, "template": {"spec": spec}}}


def _service(name: str) -> Object:
    return {"kind": "Service", "metadata": {"name": name, "namespace": "n"}, "spec": {"selector": {"app": "a"}}}


BREAKS: Final = {
    NODE_EDITS: [
        {"kind": "ClusterRole", "metadata": {"name": "r"}, "rules": [{"resources": ["nodes"], "verbs": ["patch"]}]}
    ],
    "Kubernetes cluster containers CPU and memory resource requests must be defined": [
        _deployment({"resources": {"requests": {"cpu": "1"}, "limits": {"cpu": "1"}}})
    ],
    "Resource requests mutator": [_deployment({"resources": {"requests": {"cpu": "100m", "memory": "100Mi"}}})],
    "Must Have Anti Affinity Rules or topologySpreadConstraintsSet": [_deployment(topologySpreadConstraints=[])],
    "No AKS Specific Labels": [
        _deployment() | {"metadata": {"name": "d", "labels": {"kubernetes.azure.com/mode": "user"}}}
    ],
    "Reserved System Pool Taints": [_deployment(tolerations=[{"key": "CriticalAddonsOnly", "operator": "Exists"}])],
    "Ensure cluster containers have readiness or liveness probes configured": [_deployment({"livenessProbe": None})],
    "Kubernetes clusters should use Container Storage Interface (CSI) driver StorageClass": [
        {"kind": "StorageClass", "metadata": {"name": "s"}, "provisioner": "kubernetes.io/azure-disk"}
    ],
    "Kubernetes cluster container images should not include latest image tag": [_deployment({"image": "host:5000/i"})],
    "Pod Security baseline: HostPath Volumes": [_deployment(volumes=[{"name": "v", "hostPath": {"path": "/"}}])],
    "Pod Security baseline: host namespaces, host ports, privileged containers, capabilities": [
        _deployment(hostNetwork=True)
    ],
    UNIQUE: [_service("a"), _service("b")],
}


def test_an_object_that_keeps_all_rules_is_left_alone() -> None:
    assert findings([_deployment(), _service("a")]) == []


@pytest.mark.parametrize("rule", BREAKS)
def test_each_rule_finds_what_breaks_it_alone(rule: str) -> None:
    assert {one.rule for one in findings(BREAKS[rule])} == {rule}


def test_no_rule_is_left_without_an_object_that_breaks_it() -> None:
    """Allowed images are a parameter: what they are on a cluster, nobody here knows, and AKS allows all."""
    images = {rule.name for rule in RULES if "allowed images" in rule.name}
    assert {rule.name for rule in RULES} | {UNIQUE} == set(BREAKS) | images and ALLOWED_IMAGES == ".*"
