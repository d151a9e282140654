"""What a pod template asks its node for, where its server listens, and what of it can never start."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.pods.template import read_template

GPU = "nvidia.com/gpu"
SLICE = "nvidia.com/mig-1g.10gb"
OF_GPUS = "containers[0].resources.limits[nvidia.com/gpu]"


def container(name: str = "llm", ports: Any = (), **more: Any) -> dict[str, Any]:
    return {"name": name, "image": "i:1", "ports": list(ports)} | more


def asking(name: str = "llm", **resources: str) -> dict[str, Any]:
    spelled = {"gpu": GPU, "slices": SLICE, "cpu": "cpu", "memory": "memory"}
    limits = {spelled[what]: amount for what, amount in resources.items()}
    return container(name, resources={"limits": limits})


def template(*containers: Any, **spec: Any) -> dict[str, Any]:
    return {"spec": {"containers": list(containers)} | spec}


def port(number: Any, **more: Any) -> dict[str, Any]:
    return {"containerPort": number} | more


def test_containers_add_up_and_init_containers_go_first() -> None:
    needs = read_template(template(asking(gpu="1", cpu="500m"), asking("b", gpu="2", cpu="1", memory="2Gi")))
    assert (needs.gpus, needs.gpu_resource, needs.cpu, needs.memory_gib) == (3, GPU, 1.5, 2.0)
    before = read_template(template(asking(gpu="1"), initContainers=[asking("prepare", gpu="4", memory="8Gi")]))
    assert (before.gpus, before.memory_gib) == (4, 8.0)


def test_disk_and_other_makers_gpus_are_read_too() -> None:
    asked = {"requests": {"ephemeral-storage": "200Gi", "amd.com/gpu": "1", "gpu.intel.com/xe": "0"}}
    first = container(resources=asked, volumeMounts=[{"name": "scratch", "mountPath": "/tmp"}])
    needs = read_template(template(first, asking("b", cpu="1"), initContainers=[container("prepare", resources=asked)]))
    assert (needs.disk_gib, needs.other_gpus, needs.gpus) == (200.0, ("amd.com/gpu",), 0)
    assert (read_template(template(container())).disk_gib, read_template(template(container())).other_gpus) == (0, ())


def test_a_template_without_gpus_asks_for_none() -> None:
    assert read_template(template(container())).gpus == 0
    assert read_template(template(asking(gpu="0"))).gpu_resource == ""


def test_a_slice_is_asked_for_by_its_name() -> None:
    needs = read_template(template(asking(slices="2")))
    assert (needs.gpus, needs.gpu_resource, needs.problems) == (2, SLICE, ())


@pytest.mark.parametrize(
    ("containers", "port_", "server"),
    [
        pytest.param([container()], 5000, "llm", id="nothing declared: KAITO's port"),
        pytest.param([container(ports=[port(8000)])], 8000, "llm", id="the only one"),
        pytest.param([container(ports=[port(8000), port(5000)])], 5000, "llm", id="KAITO's, if it is declared"),
        pytest.param([container(ports=[port(9090), port(8000, name="http")])], 8000, "llm", id="the one named http"),
        pytest.param([container(ports=[port(53, protocol="UDP"), port(8080)])], 8080, "llm", id="no UDP"),
        pytest.param([container("side"), container(ports=[port(8080)])], 8080, "llm", id="of the second container"),
        pytest.param([container(ports=[port("x"), port(True), port(0), "x"])], 5000, "llm", id="no ports"),
        pytest.param([container("side"), container(readinessProbe={"exec": {}})], 5000, "llm", id="who is probed"),
        pytest.param([container("side"), container(livenessProbe={"httpGet": {"port": 8000}})], 8000, "llm",
                     id="a probe's"),
        pytest.param([container(startupProbe={"grpc": {"port": 9000}}, readinessProbe={"tcpSocket": {"port": 8001}})],
                     8001, "llm", id="the readiness probe's first"),
        pytest.param([container(ports=[port(8080)], readinessProbe={"httpGet": {"port": 9090}})], 8080, "llm",
                     id="a declared one before a probe's"),
        pytest.param([container(readinessProbe={"httpGet": {"port": "http"}}, livenessProbe=[])], 5000, "llm",
                     id="a name that nothing has"),
    ],
)  # fmt: skip
def test_the_service_sends_where_the_server_listens(containers: list[Any], port_: int, server: str) -> None:
    needs = read_template(template(*containers))
    assert (needs.port, needs.server) == (port_, server)


def test_a_sidecar_may_be_the_server() -> None:
    sidecar = container("proxy", ports=[port(8080)], restartPolicy="Always")
    assert read_template(template(container(), initContainers=[sidecar])).server == "proxy"
    once = container("prepare", ports=[port(8080)])
    assert read_template(template(container(), initContainers=[once])).server == "llm", "it has ended by then"


@pytest.mark.parametrize(
    ("given_", "where", "says"),
    [
        pytest.param(template(asking(gpu="two")), OF_GPUS, "quantity", id="text"),
        pytest.param(template(asking(gpu="500m")), OF_GPUS, "whole", id="half"),
        pytest.param(template(asking(memory="-1")), "containers[0].resources.limits[memory]", "less", id="less than 0"),
        pytest.param(template(container(resources={"requests": {GPU: "1"}})),
                     OF_GPUS, "equal to the request", id="no limit"),
        pytest.param(template(asking(gpu="1"), asking("b", slices="1")), "containers", "name one", id="both kinds"),
        pytest.param(template(asking(gpu="1e99")), OF_GPUS, "than an API server counts to", id="no end of GPUs"),
        pytest.param(template(asking(gpu="\u0661")), OF_GPUS, "quantity", id="digits of another script"),
        pytest.param(template(container(resources={"limits": {"nvidia.com/mig-9g.99gb": 1}})), "containers",
                     "ask for 9g.99gb, a slice that no GPU has", id="no slice"),
        pytest.param(template(*map(container, map(str, range(200))), asking("last", gpu="8")), "containers",
                     "are 201, and 200 are read", id="more than are read"),
        pytest.param(template(container(), nodeName="n"), "nodeName", "leave it out", id="a node of its own"),
        pytest.param(template(container(), restartPolicy="Never"), "restartPolicy", "Always", id="a pod that ends"),
        pytest.param(template(container(), activeDeadlineSeconds=5), "activeDeadlineSeconds", "leave", id="ended"),
    ],
)  # fmt: skip
def test_what_can_never_start_is_said_with_its_place(given_: Any, where: str, says: str) -> None:
    [problem] = read_template(given_).problems
    assert problem.path == where and says in problem.message


_JSON: Any = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.sampled_from(["", "1", "x", GPU, SLICE, "Always"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(
        st.sampled_from(
            ["spec", "containers", "initContainers", "resources", "limits", "requests", "ports", GPU, "name",
             "amd.com/gpu", "ephemeral-storage", "overhead", "containerPort", "protocol", "readinessProbe",
             "restartPolicy", "nodeSelector", "livenessProbe", "httpGet", "port"]
        ), inner, max_size=4),
    max_leaves=25,
)  # fmt: skip


@given(_JSON)
def test_no_json_stops_the_reading(document: Any) -> None:
    needs = read_template(document)
    assert needs.gpus >= 0 and 0 < needs.port < 2**16
