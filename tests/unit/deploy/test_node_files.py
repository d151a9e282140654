import json
import tomllib
from pathlib import Path

import pytest

from deploy.local.cluster.certificates import KeyPair
from deploy.local.kubernetes.binaries import Binaries
from deploy.local.layout import Layout
from deploy.local.network.nodes import NodeSpec
from deploy.local.nodes import config as node_files
from deploy.local.nodes.config import Machine

MACHINE = Machine(cpu=4, memory_kib=8 * 2**20)
FOLDER = Path("/state/nodes/n")


def kubelet_config(minor: int, spec: NodeSpec | None = None) -> dict[str, object]:
    text = node_files.kubelet_config(
        Layout.of("demo"),
        number=3,
        spec=spec or NodeSpec("n"),
        machine=MACHINE,
        pair=KeyPair(Path("/k.crt"), Path("/k.key")),
        cgroup="modelyard-demo-n",
        minor=minor,
        folder=FOLDER,
    )
    return dict(json.loads(text))


def kubelet_argv(minor: int, spec: NodeSpec) -> list[str]:
    binaries = Binaries(folder=Path("/kubernetes"), etcd=Path("/etcd"), minor=minor)
    return node_files.kubelet_argv(
        binaries, spec=spec, address="10.201.0.12", kubeconfig=Path("/kubeconfig"), config=Path("/kubelet.json")
    )


@pytest.mark.parametrize(("minor", "by_flag"), [(20, True), (26, True), (27, False), (34, False)])
def test_the_runtime_is_named_by_flag_or_by_file_as_the_version_has_it(minor: int, by_flag: bool) -> None:
    assert ("--container-runtime=remote" in kubelet_argv(minor, NodeSpec("n"))) is by_flag
    assert ("containerRuntimeEndpoint" in kubelet_config(minor)) is not by_flag


def test_versions_that_refuse_cgroup_v1_get_the_flag() -> None:
    assert "failCgroupV1" not in kubelet_config(30)
    assert kubelet_config(31)["failCgroupV1"] is False


def test_labels_taints_and_provider_id_reach_the_kubelet_in_stable_order() -> None:
    spec = NodeSpec("n", labels={"b": "2", "a": "1"}, taints=["sku=gpu:NoSchedule"], provider_id="azure:///x")
    argv = kubelet_argv(20, spec)
    assert argv[-3:] == [
        "--node-labels=a=1,b=2",
        "--register-with-taints=sku=gpu:NoSchedule",
        "--provider-id=azure:///x",
    ]


def test_a_label_stays_one_argument_whatever_it_holds() -> None:
    argv = kubelet_argv(20, NodeSpec("n", labels={"a": "x; rm -rf /"}))
    assert argv[-1] == "--node-labels=a=x; rm -rf /"


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        pytest.param(NodeSpec("n"), {}, id="the machine's own size"),
        pytest.param(NodeSpec("n", cpu=1), {"cpu": "3"}, id="fewer cores"),
        pytest.param(NodeSpec("n", memory_mib=1024), {"memory": f"{(8192 - 100 - 1024) * 1024}Ki"}, id="less memory"),
        pytest.param(NodeSpec("n", cpu=64, memory_mib=2**20), {"cpu": "0", "memory": "0Ki"}, id="more than there is"),
    ],
)
def test_what_is_kept_back_leaves_what_was_asked_for(spec: NodeSpec, expected: dict[str, str]) -> None:
    assert node_files.reserved(spec, MACHINE) == expected


def test_containerd_reads_its_configuration_and_pulls_from_the_local_registry() -> None:
    config = tomllib.loads(node_files.containerd_config(Layout.of("test"), FOLDER))
    cri = config["plugins"]["io.containerd.grpc.v1.cri"]
    assert cri["sandbox_image"] == "10.201.1.1:15100/modelyard/pause:dev"
    assert cri["restrict_oom_score_adj"] is True
    hosts = tomllib.loads(node_files.registry_hosts(Layout.of("test")))
    assert hosts["server"] == "http://10.201.1.1:15100"


def test_the_pod_network_uses_the_nodes_own_subnet_and_hides_no_address() -> None:
    network = json.loads(node_files.pod_network(Layout.of("demo"), 3))
    first = network["plugins"][0]
    assert first["ipam"]["ranges"] == [[{"subnet": "10.210.3.0/24"}]]
    assert (first["type"], first["ipMasq"]) == ("ptp", False)
