"""Judges what a pod template asks for: what can never start (M40), and what the machine does not have (M41).

Admission and the plan ask the same; how a template is read is `api/pods/template.py`. A machine that is not known, as
own nodes are not, refuses nothing: what such nodes have free is waited for.
"""

from collections.abc import Iterator
from math import ceil
from typing import Final

from api import labels
from api.pods.amounts import OTHER_GPUS
from api.pods.template import TemplateNeeds, read_template
from api.resource.workspace import Workspace
from api.validation.document import Draft
from api.validation.problem import Problem
from presets.admission.lookups import known_sku
from presets.machines.gpu_labels import INSTANCE_TYPE
from presets.machines.skus import Sku
from presets.serving.fit import IMAGES_AND_LOGS_GIB

WHERE: Final = "inference.template.spec"
NVIDIA: Final = "NVIDIA"
POOL_LABELS: Final = ("agentpool", "kubernetes.azure.com/agentpool")
TEMPLATE_DISK_GIB: Final = 256
"""Of a node for a template that asks for no more."""
DISK_SHARE: Final = 0.85
"""Of a node's disk that pods may ask for: the kubelet keeps a tenth free, the file system takes some (AKS shows 111.5
GiB of 128)."""
MOST_DISK_GIB: Final = 2048
"""The largest OS disk of a node pool (AKS, osDiskSizeGB)."""


def templates(draft: Draft) -> Iterator[Problem]:
    """M40, M41: of `inference.template`."""
    if draft.needs is None:
        return
    for problem in draft.needs.problems:
        yield Problem("M40", f"{WHERE}.{problem.path}", problem.message)
    sku = known_sku(draft.instance_type) if draft.buys_nodes else None
    for message in lacking(draft.needs, sku):
        yield Problem("M41", f"{WHERE}.containers", message)


def needs_of(workspace: Workspace) -> TemplateNeeds | None:
    """What the Workspace's template needs; None if it has none."""
    template = workspace.inference.template if workspace.inference else None
    return None if template is None else read_template(template)


def is_without_gpu(draft: Draft) -> bool:
    """Whether it serves by a template that asks for no GPU, which any machine can run."""
    return draft.needs is not None and not draft.inference["preset"].given and not draft.needs.gpus


def _unlike(label: str, value: str, sku: Sku) -> str:
    """Why nodes of this machine do not have the label with this value; empty if they have, or may get it."""
    if label in POOL_LABELS:
        return "those that are bought for it are pools of their own"
    known = {"kubernetes.io/os": "linux", "kubernetes.io/arch": sku.architecture, INSTANCE_TYPE: sku.name}
    has = known.get(label, value)
    return "" if has.lower() == value.lower() else f"{sku.name} has {has}"


def node_disk_gib(needs: TemplateNeeds | None) -> int:
    """GiB of disk that a node of this template needs: that pods get what they ask for, beside images and logs. A
    template says nothing of its model's size."""
    asked = needs.disk_gib if needs else 0
    return max(TEMPLATE_DISK_GIB, ceil(asked / DISK_SHARE) + IMAGES_AND_LOGS_GIB)


def _of_another_maker(needs: TemplateNeeds, sku: Sku) -> Iterator[str]:
    for resource in needs.other_gpus:
        if not sku.gpu_model.startswith(OTHER_GPUS[resource]):
            what = f"{sku.gpus} x {sku.gpu_model}: ask for {labels.GPU_RESOURCE}" if sku.gpus else "no GPU"
            yield f"a pod asks for {resource}, and {sku.name} has {what}"


def lacking(needs: TemplateNeeds, sku: Sku | None) -> Iterator[str]:
    """What this machine, of which each pod gets one, does not have. How much of it the kubelet keeps is not known: what
    is refused here can start on no such node."""
    if sku is None:
        return
    if needs.gpu_resource not in ("", labels.GPU_RESOURCE):
        yield f"a pod asks for {needs.gpu_resource}, and nodes that are bought offer whole GPUs: {labels.GPU_RESOURCE}"
    elif needs.gpus and not sku.gpu_model.startswith(NVIDIA):
        what = f"{sku.gpus} x {sku.gpu_model}" if sku.gpus else "no GPU"
        yield f"a pod asks for {needs.gpus} x {labels.GPU_RESOURCE}, and {sku.name} has {what}"
    elif needs.gpus > sku.gpus:
        yield f"a pod asks for {needs.gpus} GPUs, and {sku.name} has {sku.gpus}: ask for less, or use a larger machine"
    yield from _of_another_maker(needs, sku)
    if node_disk_gib(needs) > MOST_DISK_GIB:
        asked = f"a pod asks for {needs.disk_gib:.0f} GiB of ephemeral storage, and a node's disk has {MOST_DISK_GIB}"
        yield f"{asked}, images included: use a volume"
    for label, value in needs.selector.items():
        if against := _unlike(label, value, sku):
            yield f"a pod wants nodes with {label}={value}, and {against}: leave it out of nodeSelector"
    if needs.cpu >= sku.vcpus:
        asked = f"a pod asks for {needs.cpu:g} CPUs, and {sku.name} has {sku.vcpus}, of which the kubelet keeps some"
        yield f"{asked}: ask for less, or use a larger machine"
    if needs.memory_gib >= sku.ram_gib:
        asked = f"a pod asks for {needs.memory_gib:.1f} GiB of memory, and {sku.name} has {sku.ram_gib}"
        yield f"{asked}: ask for less, or use a larger machine"
