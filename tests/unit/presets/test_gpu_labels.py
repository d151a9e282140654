"""GPUs of nodes that were brought along, from their labels: whole, sliced, shared, and labels that cannot be true."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from presets.machines.gpu_labels import INSTANCE_TYPE, GpuLabelsInvalid, NodeGpus, NoGpuFacts, common_gpus, read_gpus
from presets.machines.machine import Machine

A100 = {
    "nvidia.com/gpu.product": "NVIDIA-A100-SXM4-80GB",
    "nvidia.com/gpu.count": "4",
    "nvidia.com/gpu.memory": "81920",
    "nvidia.com/gpu.compute.major": "8",
    "nvidia.com/gpu.compute.minor": "0",
    "nvidia.com/gpu.replicas": "1",
    "nvidia.com/gpu.sharing-strategy": "none",
    "nvidia.com/mig.strategy": "single",
    "nvidia.com/mig.capable": "true",
}
SLICED = A100 | {
    "nvidia.com/gpu.product": "NVIDIA-A100-SXM4-80GB-MIG-3g.40gb",
    "nvidia.com/gpu.count": "8",
    "nvidia.com/gpu.memory": "40320",
    "nvidia.com/mig.config.state": "success",
}
MIXED = A100 | {
    "nvidia.com/mig.strategy": "mixed",
    "nvidia.com/mig-1g.10gb.count": "2",
    "nvidia.com/mig-1g.10gb.memory": "9728",
    "nvidia.com/mig-1g.10gb.product": "NVIDIA-A100-SXM4-80GB-MIG-1g.10gb",
    "nvidia.com/mig-3g.40gb.count": "1",
    "nvidia.com/mig-3g.40gb.memory": "40320",
    "nvidia.com/mig-3g.40gb.product": "NVIDIA-A100-SXM4-80GB-MIG-3g.40gb",
}
SHARED = A100 | {
    "nvidia.com/gpu.product": "NVIDIA-A100-SXM4-80GB-SHARED",
    "nvidia.com/gpu.replicas": "4",
    "nvidia.com/gpu.sharing-strategy": "time-slicing",
}


def test_whole_gpus_are_what_they_say() -> None:
    gpus = read_gpus(A100)
    assert (gpus.product, gpus.count, gpus.memory_gib) == ("NVIDIA-A100-SXM4-80GB", 4, 80.0)
    assert (gpus.compute_capability, gpus.resource, gpus.alone) == ("8.0", "nvidia.com/gpu", True)
    assert 77 < gpus.usable_memory_gib < 79.14, "less than CUDA really offers"


@pytest.mark.parametrize(("count", "mib", "total"), [("2", "32768", 64), ("1", "96256", 94), ("3", "24576", 72)])
def test_kaitos_cases_come_to_the_same_gib(count: str, mib: str, total: int) -> None:
    gpus = read_gpus(A100 | {"nvidia.com/gpu.count": count, "nvidia.com/gpu.memory": mib})
    assert gpus.count * gpus.memory_gib == total


def test_both_spellings_of_the_capability_are_read() -> None:
    other = {key.replace("gpu.compute", "cuda.compute"): value for key, value in A100.items()}
    assert read_gpus(other).compute_capability == "8.0"


def test_equal_slices_are_counted_one_by_one() -> None:
    gpus = read_gpus(SLICED)
    assert (gpus.count, gpus.mig_profile, gpus.resource, gpus.alone) == (8, "3g.40gb", "nvidia.com/gpu", False)
    assert gpus.memory_gib == pytest.approx(39.375)


def test_of_different_slices_the_wanted_ones_are_taken() -> None:
    small, large = read_gpus(MIXED, mig_profile="1g.10gb"), read_gpus(MIXED, mig_profile="3g.40gb")
    assert (small.count, small.resource, small.memory_gib) == (2, "nvidia.com/mig-1g.10gb", 9.5)
    assert (large.count, large.resource, large.mig_profile) == (1, "nvidia.com/mig-3g.40gb", "3g.40gb")


def test_the_only_kind_of_slices_needs_no_name() -> None:
    assert read_gpus(MIXED | {"nvidia.com/mig-3g.40gb.count": "0"}).mig_profile == "1g.10gb"


@pytest.mark.parametrize(
    ("product", "capability"),
    [
        ("Tesla-V100-SXM2-16GB", 7.0),
        ("NVIDIA-V100-SXM2-16GB", 7.0),
        ("Tesla-T4", 7.5),
        ("NVIDIA-A10-24Q", 8.6),
        ("Tesla-P40", 6.1),
        ("NVIDIA-A100-SXM4-80GB", 8.0),
        ("NVIDIA-H100-NVL", 9.0),
        ("NVIDIA-A1000-of-another", 8.0),
    ],
)
def test_a_capability_that_is_not_labelled_is_that_of_the_product(product: str, capability: float) -> None:
    told = {"nvidia.com/gpu.product": product, "nvidia.com/gpu.count": "1", "nvidia.com/gpu.memory": "16384"}
    machine = Machine.of_node(read_gpus(told))
    assert machine.compute_capability == capability
    assert (machine.too_old() is not None) is (capability < 7.5)


def test_pods_that_share_a_gpu_share_its_memory() -> None:
    gpus = read_gpus(SHARED)
    assert (gpus.count, gpus.memory_gib, gpus.replicas, gpus.sharing) == (16, 20.0, 4, "time-slicing")
    assert not gpus.alone and gpus.product == "NVIDIA-A100-SXM4-80GB"
    assert read_gpus(SHARED | {"nvidia.com/gpu.sharing-strategy": "mps"}).sharing == "mps"


def test_without_feature_discovery_the_vm_size_decides() -> None:
    gpus = read_gpus({INSTANCE_TYPE: "Standard_NV36ads_A10_v5"})
    assert (gpus.product, gpus.count, gpus.memory_gib, gpus.usable_memory_gib) == ("NVIDIA A10", 1, 24.0, 22.06)


@pytest.mark.parametrize("labels", [{}, {INSTANCE_TYPE: "m5.large"}, {INSTANCE_TYPE: "Standard_D4s_v5"}])
def test_a_node_without_gpu_labels_is_named(labels: dict[str, str]) -> None:
    with pytest.raises(NoGpuFacts, match="install NVIDIA's GPU feature discovery"):
        read_gpus(labels)


def without(labels: dict[str, str], name: str) -> dict[str, str]:
    return {key: value for key, value in labels.items() if key != f"nvidia.com/{name}"}


WRONG = [
    pytest.param(without(A100, "gpu.product"), "without nvidia.com/gpu.product", id="no product"),
    pytest.param(without(A100, "gpu.memory"), "gpu.memory is missing", id="no memory"),
    pytest.param(without(A100, "gpu.count"), "gpu.count is missing", id="no count"),
    pytest.param(without(A100, "gpu.compute.minor"), "compute.minor is missing", id="half a capability"),
    pytest.param(A100 | {"nvidia.com/gpu.memory": "80Gi"}, "'80Gi': expected a number", id="no number"),
    pytest.param(A100 | {"nvidia.com/gpu.memory": "80"}, "from 1024", id="GiB instead of MiB"),
    pytest.param(A100 | {"nvidia.com/gpu.count": "0"}, "gpu.count is '0'", id="no GPUs"),
    pytest.param(A100 | {"nvidia.com/gpu.count": "-1"}, "gpu.count is '-1'", id="less than none"),
    pytest.param(A100 | {"nvidia.com/gpu.count": "\u0664"}, "expected a number", id="other digits"),
    pytest.param(A100 | {"nvidia.com/gpu.replicas": "4"}, "but .*sharing-strategy is none", id="shared, yet not"),
    pytest.param(SHARED | {"nvidia.com/gpu.replicas": "1"}, "is shared, but .*replicas is 1", id="shared by one"),
    pytest.param(
        SLICED | {"nvidia.com/mig.strategy": "none"}, "is a slice, but .*strategy is none", id="slice, yet not"
    ),
    pytest.param(SLICED | {"nvidia.com/mig.config.state": "pending"}, "wait until", id="being partitioned"),
    pytest.param(A100 | {"nvidia.com/mig.strategy": "double"}, "expected none, single or mixed", id="strategy"),
    pytest.param(MIXED, r"offers 1g.10gb, 3g.40gb: name one", id="which slices"),
]


@pytest.mark.parametrize(("labels", "message"), WRONG)
def test_labels_that_cannot_be_true_are_named(labels: dict[str, str], message: str) -> None:
    with pytest.raises(GpuLabelsInvalid, match=message):
        read_gpus(labels)


def test_a_profile_that_is_not_there_is_refused() -> None:
    with pytest.raises(GpuLabelsInvalid, match=r"offers whole GPUs, not 1g\.10gb"):
        read_gpus(A100, mig_profile="1g.10gb")
    with pytest.raises(GpuLabelsInvalid, match=r"name one of these profiles, not 7g.80gb"):
        read_gpus(MIXED, mig_profile="7g.80gb")


def test_nodes_of_one_workspace_are_equal() -> None:
    assert common_gpus({"a": read_gpus(A100), "b": read_gpus(A100)}) == read_gpus(A100)
    with pytest.raises(GpuLabelsInvalid, match=r"nodes a and b have different GPUs \(4 x .*; 8 x .*labelSelector"):
        common_gpus({"b": read_gpus(SLICED), "a": read_gpus(A100)})
    with pytest.raises(NoGpuFacts, match="no node"):
        common_gpus({})


values = st.one_of(st.text(max_size=6), st.integers(-2, 1 << 20).map(str), st.sampled_from(sorted(set(MIXED.values()))))


@settings(max_examples=300)
@given(
    st.dictionaries(st.sampled_from(sorted({*MIXED, *SHARED, INSTANCE_TYPE})), values), st.sampled_from(["", "1g.10gb"])
)
def test_any_labels_are_read_or_refused(labels: dict[str, str], profile: str) -> None:
    try:
        gpus = read_gpus(labels, mig_profile=profile)
    except (GpuLabelsInvalid, NoGpuFacts):
        return
    assert isinstance(gpus, NodeGpus) and gpus.count > 0
    assert 0 < gpus.usable_memory_gib <= gpus.memory_gib
