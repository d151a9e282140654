"""Reads the GPUs of an existing node from the labels of NVIDIA's GPU feature discovery. Pure.

On AKS that program is not installed by default; the VM size in the node's labels gives the same facts.
`activities.nodes` selects the nodes that a Workspace may use.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Final, Literal

from presets.machines.skus import UnknownSku, find_sku, sku_table

PREFIX: Final = "nvidia.com/"
GPU: Final = "nvidia.com/gpu"
INSTANCE_TYPE: Final = "node.kubernetes.io/instance-type"
USABLE_SHARE: Final = 0.97
"""Of the memory in the labels (NVML's total), what CUDA offers to a process: the least of the shares in skus.yaml (T4:
14.56 of 15 GiB)."""
MIB_PER_GIB: Final = 1024
LEAST_MIB, MOST_MIB = 1024, 4 << 20
MOST_GPUS: Final = 1024

OLD_GPUS: Final[Mapping[str, str]] = {
    "K80": "3.7",
    "M40": "5.2",
    "M60": "5.2",
    "P100": "6.0",
    "P4": "6.1",
    "P40": "6.1",
}
"""Compute capability (NVIDIA, "CUDA GPUs")."""

Sharing = Literal["none", "time-slicing", "mps"]

_PROFILE: Final = re.compile(r"\d+g\.\d+gb(?:\.[a-z.]+)?")
_MIXED: Final = re.compile(rf"{re.escape(PREFIX)}mig-(?P<profile>\d+g\.\d+gb(?:\.[a-z.]+)?)\.count")
_PRODUCT_PROFILE: Final = re.compile(rf"-MIG-(?P<profile>{_PROFILE.pattern})")
_SHARED: Final = "-SHARED"


class NoGpuFacts(LookupError):
    """The labels describe no GPU; the message names what to install or to set."""


class GpuLabelsInvalid(ValueError):
    """The labels contradict each other, or are not numbers; the message names the labels."""


@dataclass(frozen=True)
class NodeGpus:
    """The GPUs of one node, as pods can ask for them.

    `count` is how many of `resource` the node offers, `memory_gib` what one of them has as NVML says. With MIG one of
    them is a slice. Where `replicas` pods share a GPU, each is one of `count`, and has a part of the memory.
    """

    product: str
    count: int
    memory_gib: float
    usable_memory_gib: float
    compute_capability: str = ""
    resource: str = GPU
    mig_profile: str = ""
    replicas: int = 1
    sharing: Sharing = "none"

    @property
    def alone(self) -> bool:
        """Whole GPUs of one's own: what tensor parallelism needs."""
        return not self.mig_profile and self.replicas == 1


def read_gpus(labels: Mapping[str, str], *, mig_profile: str = "") -> NodeGpus:
    """The GPUs that these node labels describe; with MIG's mixed strategy, those of the requested profile.

    Raises NoGpuFacts and GpuLabelsInvalid.
    """
    if _state(labels) == "mixed" and (mig_profile or _mixed_profiles(labels)):
        return _mixed(labels, mig_profile)
    if f"{GPU}.product" not in labels and f"{GPU}.count" not in labels:
        return _of_size(labels)
    return _plain(labels, mig_profile)


def common_gpus(nodes: Mapping[str, NodeGpus]) -> NodeGpus:
    """What holds for all nodes, given by name. Raises NoGpuFacts without nodes, GpuLabelsInvalid where they differ."""
    if not nodes:
        raise NoGpuFacts("no node was passed")
    (first, expected), *others = sorted(nodes.items())
    for name, gpus in others:
        if gpus != expected:
            raise GpuLabelsInvalid(
                f"nodes {first} and {name} have different GPUs ({_described(expected)}; {_described(gpus)}): "
                "choose equal ones with resource.labelSelector"
            )
    return expected


def _plain(labels: Mapping[str, str], wanted: str) -> NodeGpus:
    product = labels.get(f"{GPU}.product", "")
    if not product:
        raise GpuLabelsInvalid(f"{GPU}.count is set without {GPU}.product: is feature discovery still starting?")
    profile = _profile_of(labels, product)
    if wanted and wanted != profile:
        raise GpuLabelsInvalid(f"{mig_label('strategy')}: the node offers {profile or 'whole GPUs'}, not {wanted}")
    replicas, sharing = _sharing(labels, f"{GPU}.", product)
    count = _number(labels, f"{GPU}.count", 1, MOST_GPUS)
    memory = _number(labels, f"{GPU}.memory", LEAST_MIB, MOST_MIB) / MIB_PER_GIB / replicas
    return NodeGpus(
        product=product.replace(_SHARED, ""),
        count=count * replicas,
        memory_gib=memory,
        usable_memory_gib=memory * USABLE_SHARE,
        compute_capability=_capability(labels) or _capability_of(product),
        mig_profile=profile,
        replicas=replicas,
        sharing=sharing,
    )


def _mixed(labels: Mapping[str, str], wanted: str) -> NodeGpus:
    there = _mixed_profiles(labels)
    profile = wanted or (there[0] if len(there) == 1 else "")
    if profile not in there:
        offered = ", ".join(there) or "no slices"
        raise GpuLabelsInvalid(f"the node offers {offered}: name one of these profiles, not {wanted or 'none'}")
    base = f"{PREFIX}mig-{profile}."
    replicas, sharing = _sharing(labels, base, labels.get(f"{base}product", ""))
    memory = _number(labels, f"{base}memory", LEAST_MIB, MOST_MIB) / MIB_PER_GIB / replicas
    product = labels.get(f"{base}product", labels.get(f"{GPU}.product", ""))
    return NodeGpus(
        product=product.replace(_SHARED, ""),
        count=_number(labels, f"{base}count", 1, MOST_GPUS) * replicas,
        memory_gib=memory,
        usable_memory_gib=memory * USABLE_SHARE,
        compute_capability=_capability(labels) or _capability_of(product),
        resource=f"{PREFIX}mig-{profile}",
        mig_profile=profile,
        replicas=replicas,
        sharing=sharing,
    )


def _of_size(labels: Mapping[str, str]) -> NodeGpus:
    size = labels.get(INSTANCE_TYPE, "")
    try:
        sku = find_sku(size)
    except UnknownSku:
        sku = None
    if sku is None or not sku.gpus:
        what = f"its size {size!r} is not a known GPU size" if size else "it has no size"
        raise NoGpuFacts(f"the node has no labels {GPU}.*, and {what}: install NVIDIA's GPU feature discovery")
    return NodeGpus(
        product=sku.gpu_model,
        count=sku.gpus,
        memory_gib=float(sku.gpu_memory_gib),
        usable_memory_gib=sku.usable_memory_gib,
        compute_capability=sku.compute_capability,
    )


def mig_label(name: str) -> str:
    """The label of this property of MIG."""
    return f"{PREFIX}mig.{name}"


def _state(labels: Mapping[str, str]) -> str:
    """MIG's strategy on this node. Raises GpuLabelsInvalid while it is being changed, or after that failed."""
    config = labels.get(mig_label("config.state"), "success")
    if config != "success":
        raise GpuLabelsInvalid(f"{mig_label('config.state')} is {config!r}: wait until the GPUs are partitioned")
    strategy = labels.get(mig_label("strategy"), "none") or "none"
    if strategy not in ("none", "single", "mixed"):
        raise GpuLabelsInvalid(f"{mig_label('strategy')} is {strategy!r}: expected none, single or mixed")
    return strategy


def _mixed_profiles(labels: Mapping[str, str]) -> list[str]:
    found = (_MIXED.fullmatch(name) for name in labels)
    return sorted(match["profile"] for match in found if match and labels[match.string] != "0")


def _profile_of(labels: Mapping[str, str], product: str) -> str:
    match = _PRODUCT_PROFILE.search(product)
    if match and _state(labels) == "none":
        raise GpuLabelsInvalid(f"{GPU}.product {product!r} is a slice, but {mig_label('strategy')} is none")
    return match["profile"] if match else ""


def _sharing(labels: Mapping[str, str], base: str, product: str) -> tuple[int, Sharing]:
    # 0 where the device plugin does not run.
    replicas = max(1, _number(labels, f"{base}replicas", 0, MOST_GPUS)) if f"{base}replicas" in labels else 1
    strategy = labels.get(f"{base}sharing-strategy", "")
    if replicas == 1 and product.endswith(_SHARED):
        raise GpuLabelsInvalid(f"{base}product {product!r} is shared, but {base}replicas is {replicas}")
    if replicas == 1:
        return 1, "none"
    if strategy == "none":
        raise GpuLabelsInvalid(f"{base}replicas is {replicas}, but {base}sharing-strategy is none")
    return replicas, "mps" if strategy == "mps" else "time-slicing"


def _capability(labels: Mapping[str, str]) -> str:
    # KAITO's documents have the second spelling.
    spelled = (f"{GPU}.compute", f"{PREFIX}cuda.compute")
    base = next((base for base in spelled if f"{base}.major" in labels), spelled[0])
    major, minor = f"{base}.major", f"{base}.minor"
    if major not in labels and minor not in labels:
        return ""
    return f"{_number(labels, major, 1, 99)}.{_number(labels, minor, 0, 9)}"


def _capability_of(product: str) -> str:
    """By the name of the product, as in Tesla-V100-SXM2-16GB; empty for one that is not known."""
    words = product.split("-")
    return next((capability for name, capability in _capabilities().items() if name in words), "")


@cache
def _capabilities() -> dict[str, str]:
    """Of Azure's machines, and of data centre GPUs that are older."""
    known = {sku.gpu_model.removeprefix("NVIDIA "): sku.compute_capability for sku in sku_table().skus}
    return {**OLD_GPUS, **{name: capability for name, capability in known.items() if capability}}


def _number(labels: Mapping[str, str], name: str, least: int, most: int) -> int:
    text = labels.get(name)
    if text is None:
        raise GpuLabelsInvalid(f"the label {name} is missing: is feature discovery still starting?")
    if not re.fullmatch(r"[0-9]{1,9}", text) or not least <= int(text) <= most:
        raise GpuLabelsInvalid(f"the label {name} is {text[:40]!r}: expected a number from {least} to {most}")
    return int(text)


def _described(gpus: NodeGpus) -> str:
    return f"{gpus.count} x {gpus.product} with {gpus.memory_gib:.1f} GiB"
