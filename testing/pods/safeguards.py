"""Judges objects by AKS's Deployment Safeguards: each rule as a pure function of one object, or of all that there are.

The rules are those of learn.microsoft.com/azure/aks/deployment-safeguards (2 June 2026): its table of policies, and of
Pod Security the baseline that AKS Automatic enforces. What each looks at (kinds, parameters) is in the initiative
`AKS_Safeguards` of github.com/Azure/azure-policy. `restricted.py` has the whole of Pod Security's stricter standard.

Not rules of it, though Azure has policies of that name: preStop hooks, pods without an owner, the default namespace.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

Object = dict[str, Any]

REPLICATED: Final = ("Deployment", "StatefulSet", "ReplicaSet", "ReplicationController")
WITH_PODS: Final = ("Deployment", "StatefulSet", "DaemonSet", "ReplicaSet", "Job", "CronJob")
PROBES: Final = ("readinessProbe", "livenessProbe")
"""Of each container that is not an init container; both (github.com/Azure/azure-policy/issues/1537)."""
RESERVED_LABELS: Final = "kubernetes.azure.com"
RESERVED_TAINT: Final = "CriticalAddonsOnly"
ALLOWED_IMAGES: Final = ".*"
"""A parameter of the cluster's; AKS allows every image until somebody sets it."""
IN_TREE: Final = ("kubernetes.io/azure-disk", "kubernetes.io/azure-file")
LEAST_CPU: Final = 100
LEAST_MEMORY_MIB: Final = 100


@dataclass(frozen=True)
class Finding:
    """What level Enforce would refuse, or where the safeguards `change` objects, change it."""

    rule: str
    object: str
    what: str


@dataclass(frozen=True)
class Rule:
    """`broken` gives the part of an object that breaks it. `changes`: Enforce does not refuse it but writes it anew."""

    name: str
    broken: Callable[[Object], Iterator[str]]
    changes: bool = False


def findings(objects: Sequence[Object]) -> list[Finding]:
    """Returns everything that any rule finds in any of the objects, which are all those of one cluster."""
    found = [
        Finding(rule.name, f"{each['kind']} {each['metadata']['name']}", what)
        for each in objects
        for rule in RULES
        for what in rule.broken(each)
    ]
    return found + list(_selectors(objects))


def pod_of(found: Object) -> Object:
    """Returns the spec of the pods that an object makes; {} for one that makes none."""
    if found["kind"] == "Pod":
        return dict(found["spec"])
    if found["kind"] == "CronJob":
        found = found["spec"]["jobTemplate"]
    return dict(found["spec"]["template"]["spec"]) if found.get("kind", "Job") in WITH_PODS else {}


def _containers(found: Object, *, with_first: bool = True) -> list[Object]:
    pod = pod_of(found)
    return [*pod.get("containers", []), *(pod.get("initContainers", []) if with_first else [])]


def _node_edits(found: Object) -> Iterator[str]:
    """Of roles, because no manifest shows the edit: labels and taints of Nodes are AKS's own users' to write."""
    for rule in found.get("rules") or [] if found["kind"] == "ClusterRole" else []:
        if "nodes" in rule.get("resources", []) and {"patch", "update"} & set(rule["verbs"]):
            yield "nodes"


def _requests(found: Object) -> Iterator[str]:
    for container in _containers(found):
        asked = (container.get("resources") or {}).get("requests") or {}
        if not {"cpu", "memory"} <= set(asked):
            yield container["name"]


def _amounts(found: Object) -> Iterator[str]:
    for container in _containers(found):
        resources: Mapping[str, Any] = container.get("resources") or {}
        asked, most = resources.get("requests") or {}, resources.get("limits") or {}
        without_limit = "cpu" in asked and "cpu" not in most
        small = _thousandths(asked.get("cpu", "1")) < LEAST_CPU or _mib(asked.get("memory", "1Gi")) < LEAST_MEMORY_MIB
        if without_limit or small:
            yield container["name"]


def _spread(found: Object) -> Iterator[str]:
    pod = pod_of(found)
    several = found["kind"] in REPLICATED and found["spec"].get("replicas", 1) > 1
    if several and not (pod.get("topologySpreadConstraints") or (pod.get("affinity") or {}).get("podAntiAffinity")):
        yield "replicas"


def _labels(found: Object) -> Iterator[str]:
    template = (found.get("spec") or {}).get("template") or {}
    for metadata in (found["metadata"], template.get("metadata") or {}):
        yield from (label for label in metadata.get("labels") or {} if label.startswith(RESERVED_LABELS))


def _images(found: Object) -> Iterator[str]:
    yield from (one["name"] for one in _containers(found) if not re.search(ALLOWED_IMAGES, one["image"]))


def _taints(found: Object) -> Iterator[str]:
    tolerated = [one.get("key") for one in pod_of(found).get("tolerations") or []]
    own = [one["key"] for one in found["spec"].get("taints") or []] if found["kind"] in ("Node", "NodeClaim") else []
    yield from (key for key in (*tolerated, *own) if key == RESERVED_TAINT)


def _probes(found: Object) -> Iterator[str]:
    yield from (one["name"] for one in _containers(found, with_first=False) if not all(one.get(p) for p in PROBES))


def _storage_class(found: Object) -> Iterator[str]:
    if found["kind"] == "StorageClass" and found["provisioner"] in IN_TREE:
        yield found["provisioner"]


def _latest(found: Object) -> Iterator[str]:
    for container in _containers(found):
        tag = container["image"].rpartition("/")[2].partition(":")[2]
        if "@" not in container["image"] and tag in ("", "latest"):
            yield container["name"]


def _host_paths(found: Object) -> Iterator[str]:
    yield from (volume["name"] for volume in pod_of(found).get("volumes") or [] if "hostPath" in volume)


def _host(found: Object) -> Iterator[str]:
    pod = pod_of(found)
    yield from (name for name in ("hostNetwork", "hostPID", "hostIPC") if pod.get(name))
    for container in _containers(found):
        security = container.get("securityContext") or {}
        if security.get("privileged") or any(port.get("hostPort") for port in container.get("ports") or []):
            yield container["name"]
        yield from (security.get("capabilities") or {}).get("add") or []


def _selectors(objects: Sequence[Object]) -> Iterator[Finding]:
    services = [each for each in objects if each["kind"] == "Service" and each["spec"].get("selector")]
    chosen = [(each["metadata"].get("namespace"), str(sorted(each["spec"]["selector"].items()))) for each in services]
    for service, key in zip(services, chosen, strict=True):
        if Counter(chosen)[key] > 1:
            yield Finding(UNIQUE, f"Service {service['metadata']['name']}", "selector")


def _thousandths(cpu: str) -> float:
    return float(cpu.removesuffix("m")) if cpu.endswith("m") else float(cpu) * 1000


def _mib(memory: str) -> float:
    units = {"Ki": 1 / 1024, "Mi": 1, "Gi": 1024}
    return float(memory[:-2]) * units[memory[-2:]] if memory[-2:] in units else float(memory) / 2**20


UNIQUE: Final = "Kubernetes cluster services should use unique selectors"
NODE_EDITS: Final = "Cannot Edit Individual Nodes"
RULES: Final = (
    Rule(NODE_EDITS, _node_edits),
    Rule("Kubernetes cluster containers CPU and memory resource requests must be defined", _requests),
    Rule("Resource requests mutator", _amounts, changes=True),
    Rule("Must Have Anti Affinity Rules or topologySpreadConstraintsSet", _spread, changes=True),
    Rule("No AKS Specific Labels", _labels),
    Rule("Kubernetes cluster containers should only use allowed images", _images),
    Rule("Reserved System Pool Taints", _taints),
    Rule("Ensure cluster containers have readiness or liveness probes configured", _probes),
    Rule("Kubernetes clusters should use Container Storage Interface (CSI) driver StorageClass", _storage_class),
    Rule("Kubernetes cluster container images should not include latest image tag", _latest),
    Rule("Pod Security baseline: HostPath Volumes", _host_paths),
    Rule("Pod Security baseline: host namespaces, host ports, privileged containers, capabilities", _host),
)
"""By Microsoft's names, in the order of its table; `UNIQUE` compares several objects."""
