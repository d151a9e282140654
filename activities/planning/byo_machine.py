"""Determines the machine for which a bring-your-own Workspace is sized: what all nodes that match its labels share.

Finding free GPUs and reserving them is left to activities/nodes.
"""

import math
import re
from dataclasses import replace
from typing import Final

from activities.clients.identities import labelled
from activities.clients.kubernetes import Cluster, Object
from activities.contract.failures import failure
from api.resource.workspace import Workspace
from presets.machines.gpu_labels import GpuLabelsInvalid, NodeGpus, NoGpuFacts, common_gpus, read_gpus
from presets.machines.machine import Machine

_PER_GIB: Final = {"Ki": 2**20, "Mi": 2**10, "Gi": 1}


async def read_own_machine(cluster: Cluster, workspace: Workspace) -> Machine:
    """Returns the machine. Raises NoMatchingNodes with what the nodes lack."""
    selector = ",".join(f"{key}={value}" for key, value in sorted(workspace.match_labels.items()))
    nodes, _ = await cluster.list_all("Node", selector=selector, keep=_kept)
    return machine_of(nodes, selector, _profile(workspace))


def machine_of(nodes: list[Object], selector: str, profile: str) -> Machine:
    """Returns what the nodes with GPUs share; `profile` is a MIG profile or empty. Raises NoMatchingNodes."""
    found: dict[str, NodeGpus] = {}
    without: list[str] = []
    for node in nodes:
        metadata = node["metadata"]
        try:
            found[metadata["name"]] = read_gpus(metadata.get("labels") or {}, mig_profile=profile)
        except NoGpuFacts as error:
            without.append(f"{metadata['name']}: {error}")
        except GpuLabelsInvalid as error:
            raise failure("NoMatchingNodes", f"node {metadata['name']}: {error}") from None
    if not found:
        why = "; ".join(without) or "no node has these labels"
        raise failure("NoMatchingNodes", f"no node with a GPU matches {selector or 'an empty selector'}: {why}")
    sizes = [memory_gib(node) for node in nodes if node["metadata"]["name"] in found]
    try:
        return replace(Machine.of_node(common_gpus(found)), ram_gib=min(sizes))
    except GpuLabelsInvalid as error:
        raise failure("NoMatchingNodes", str(error)) from None


def memory_gib(node: Object) -> int:
    """The node's memory in GiB, rounded up; 0 if it does not say, or not in Ki, Mi or Gi as kubelets do."""
    written = re.fullmatch(
        r"([0-9]{1,15})(Ki|Mi|Gi)", str((node.get("status") or {}).get("capacity", {}).get("memory"))
    )
    return math.ceil(int(written[1]) / _PER_GIB[written[2]]) if written else 0


def _kept(node: Object) -> Object:
    capacity = (node.get("status") or {}).get("capacity") or {}
    return labelled(node) | {"status": {"capacity": {"memory": capacity.get("memory")}}}


def _profile(workspace: Workspace) -> str:
    partition = workspace.resource.partition if workspace.resource else None
    return (partition.profile or "") if partition and partition.mode == "mig" else ""
