"""Determines the machine for which a bring-your-own Workspace is sized: what all nodes that match its labels share.

Finding free GPUs and reserving them is left to activities/nodes.
"""

from activities.clients.identities import labelled
from activities.clients.kubernetes import Cluster, Object
from activities.contract.failures import failure
from api.resource.workspace import Workspace
from presets.machines.gpu_labels import GpuLabelsInvalid, NodeGpus, NoGpuFacts, common_gpus, read_gpus
from presets.machines.machine import Machine


async def read_own_machine(cluster: Cluster, workspace: Workspace) -> Machine:
    """Returns the machine. Raises NoMatchingNodes with what the nodes lack."""
    selector = ",".join(f"{key}={value}" for key, value in sorted(workspace.match_labels.items()))
    nodes, _ = await cluster.list_all("Node", selector=selector, keep=labelled)
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
    try:
        return Machine.of_node(common_gpus(found))
    except GpuLabelsInvalid as error:
        raise failure("NoMatchingNodes", str(error)) from None


def _profile(workspace: Workspace) -> str:
    partition = workspace.resource.partition if workspace.resource else None
    return (partition.profile or "") if partition and partition.mode == "mig" else ""
