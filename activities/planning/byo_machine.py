"""Determines the machine for which a bring-your-own Workspace is sized: what all nodes that match its labels share.

Nothing waits here: without such a node the failure is final, `own_nodes.py` waits for one, and the status says so.
Finding free GPUs and reserving them is left to activities/nodes.
"""

import math
import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from temporalio.exceptions import ApplicationError

from activities.clients.identities import labelled
from activities.clients.kubernetes import Cluster, Object
from activities.contract.failures import failure
from activities.nodes.byo.gpu_accounting import NODES_LISTED, advice
from api.resource.workspace import Workspace
from presets.machines.gpu_labels import GpuLabelsInvalid, NodeGpus, NoGpuFacts, common_gpus, read_gpus
from presets.machines.machine import Machine

_PER_GIB: Final = {"Ki": 2**20, "Mi": 2**10, "Gi": 1}


async def read_own_machine(cluster: Cluster, workspace: Workspace) -> Machine:
    """Returns the machine. Raises NoMatchingNodes with what the nodes lack."""
    nodes, _ = await cluster.list_all("Node", selector=selector_of(workspace.match_labels), keep=_kept)
    return machine_of(nodes, workspace.match_labels, profile_of(workspace))


def selector_of(match_labels: Mapping[str, str]) -> str:
    """A Workspace's matchLabels as a label selector."""
    return ",".join(f"{key}={value}" for key, value in sorted(match_labels.items()))


def machine_of(nodes: list[Object], match_labels: Mapping[str, str], profile: str) -> Machine:
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
            raise _no_node(f"node {metadata['name']}: {error}") from None
    if not found:
        shown, more = without[:NODES_LISTED], len(without) - NODES_LISTED
        why = "; ".join([*shown, *([f"and {more} more"] if more > 0 else [])])
        why = why or f"no node has these labels. {advice(match_labels)}"
        raise _no_node(f"no node with a GPU matches {selector_of(match_labels) or 'an empty selector'}: {why}")
    sizes = [memory_gib(node) for node in nodes if node["metadata"]["name"] in found]
    try:
        return replace(Machine.of_node(common_gpus(found)), ram_gib=min(sizes))
    except GpuLabelsInvalid as error:
        raise _no_node(str(error)) from None


def _no_node(message: str) -> ApplicationError:
    return failure("NoMatchingNodes", message, final=True)


def memory_gib(node: Object) -> int:
    """The node's memory in GiB, rounded up; 0 if it does not say, or not in Ki, Mi or Gi as kubelets do."""
    written = re.fullmatch(
        r"([0-9]{1,15})(Ki|Mi|Gi)", str((node.get("status") or {}).get("capacity", {}).get("memory"))
    )
    return math.ceil(int(written[1]) / _PER_GIB[written[2]]) if written else 0


def _kept(node: Object) -> Object:
    capacity = (node.get("status") or {}).get("capacity") or {}
    return labelled(node) | {"status": {"capacity": {"memory": capacity.get("memory")}}}


def profile_of(workspace: Workspace) -> str:
    """The MIG profile that the Workspace asks for, or empty."""
    partition = workspace.resource.partition if workspace.resource else None
    return (partition.profile or "") if partition and partition.mode == "mig" else ""
