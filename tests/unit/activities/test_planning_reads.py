"""What the planner reads: the Workspace, the ConfigMap that it names, and the hub for models that nobody listed."""

from typing import Any

import pytest
from temporalio.exceptions import ApplicationError

from activities.contract.plan import Deadlines, PlanRequest
from activities.planning.planner import Planner
from api.configs.inference import INFERENCE_KEY
from api.providers import Provider
from presets.models.catalog import Model, find_model

UID = "0b6f3c1e-5c1f-4c8e-9a55-6f0d3f8d1a11"
KEY = PlanRequest(namespace="default", name="w", uid=UID)


class Objects:
    """A cluster that holds these objects."""

    def __init__(
        self,
        workspace: dict[str, Any] | None,
        *config_maps: dict[str, Any],
        nodes: list[dict[str, Any]] | None = None,
        selector: str = "apps=w",
    ) -> None:
        self._nodes, self._selector = nodes or [], selector
        self._found = {("Workspace", "w"): workspace}
        self._found |= {("ConfigMap", entry["metadata"]["name"]): entry for entry in config_maps}

    async def get(self, kind: str, name: str, namespace: str) -> dict[str, Any] | None:
        return self._found.get((kind, name))

    async def list_all(self, kind: str, *, selector: str, keep: Any) -> tuple[list[dict[str, Any]], str]:
        assert (kind, selector) == ("Node", self._selector)
        return [keep(node) for node in self._nodes], "1"


class Hub:
    """Knows one model, and records who asked for what."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str, str]] = []

    async def read_facts(self, namespace: str, repo: str, secret: str) -> Model:
        self.asked.append((namespace, repo, secret))
        return find_model("phi-4").model_copy(update={"repo": repo, "max_tokens": 9000})


def a_workspace(model: str = "phi-4", **inference: Any) -> dict[str, Any]:
    preset = {"name": model, "presetOptions": {"modelAccessSecret": "token"}}
    return {
        "apiVersion": "kaito.sh/v1beta1",
        "kind": "Workspace",
        "metadata": {"name": "w", "namespace": "default", "uid": UID, "generation": 1},
        "resource": {"instanceType": "Standard_NC24ads_A100_v4", "labelSelector": {"matchLabels": {"apps": "w"}}},
        "inference": {"preset": preset} | inference,
    }


def a_config_map(text: str, key: str = INFERENCE_KEY) -> dict[str, Any]:
    return {"kind": "ConfigMap", "metadata": {"name": "c"}, "data": {key: text}}


def planner(cluster: Objects, hub: Hub | None = None, provider: Provider = "aks") -> Planner:
    return Planner(
        cluster,  # type: ignore[arg-type]  # what is used of a cluster
        location="eastus", deadlines=Deadlines(), images=("r", "f"), provider=provider,
        read_facts=hub.read_facts if hub else None,
    )  # fmt: skip


async def test_the_hub_is_queried_for_models_outside_the_catalogue() -> None:
    hub = Hub()
    plan = (await planner(Objects(a_workspace("acme/model")), hub).build_plan(KEY)).first.plan
    assert (plan.model, plan.max_model_len) == ("acme/model", 9000)
    assert hub.asked == [("default", "acme/model", "token")]


@pytest.mark.parametrize("name", ["phi-4", "microsoft/phi-4"])
async def test_the_hub_is_not_queried_for_known_models(name: str) -> None:
    hub = Hub()
    await planner(Objects(a_workspace(name)), hub).build_plan(KEY)
    assert hub.asked == []


@pytest.mark.parametrize("name", ["../../etc/passwd", "a/b/c", "phi-44", "http://x/y"])
async def test_the_hub_is_not_queried_for_invalid_names(name: str) -> None:
    hub = Hub()
    with pytest.raises(ApplicationError):
        await planner(Objects(a_workspace(name)), hub).build_plan(KEY)
    assert hub.asked == []


async def test_a_config_map_changes_the_plan_and_its_digest() -> None:
    workspace = a_workspace(config="c")
    digests = set()
    for length in (1000, 2000):
        cluster = Objects(workspace, a_config_map(f"vllm: {{max-model-len: {length}}}"))
        plan = (await planner(cluster).build_plan(KEY)).first.plan
        assert (plan.max_model_len, plan.config_map) == (length, "c")
        digests.add(plan.digest)
    assert len(digests) == 2


@pytest.mark.parametrize(
    ("config_maps", "reason"),
    [
        pytest.param([], "ConfigNotFound", id="missing"),
        pytest.param([a_config_map("", key="other")], "ConfigNotFound", id="without the key"),
        pytest.param([a_config_map("vllm: 3")], "ConfigInvalid", id="no map"),
    ],
)
async def test_a_config_map_that_cannot_be_used_stops_the_plan(config_maps: list[Any], reason: str) -> None:
    with pytest.raises(ApplicationError) as caught:
        await planner(Objects(a_workspace(config="c"), *config_maps)).build_plan(KEY)
    assert caught.value.type == reason


@pytest.mark.parametrize(
    "found",
    [
        pytest.param(None, id="gone"),
        pytest.param(a_workspace() | {"metadata": {"name": "w", "uid": "another"}}, id="a namesake"),
        pytest.param(
            a_workspace() | {"metadata": {"name": "w", "uid": UID, "deletionTimestamp": "2026-01-01T00:00:00Z"}},
            id="being deleted",
        ),
    ],
)
async def test_a_deleted_workspace_is_not_planned(found: dict[str, Any] | None) -> None:
    with pytest.raises(ApplicationError) as caught:
        await planner(Objects(found)).build_plan(KEY)
    assert caught.value.type == "WorkspaceGone"


def a_node(name: str, product: str = "NVIDIA-A100-SXM4-80GB", gpus: int = 2, memory: int = 81920) -> dict[str, Any]:
    told = {"product": product, "count": gpus, "memory": memory, "compute.major": 8, "compute.minor": 0}
    return {"metadata": {"name": name, "labels": {f"nvidia.com/gpu.{key}": str(value) for key, value in told.items()}}}


def on_own_nodes(**partition: Any) -> dict[str, Any]:
    resource: dict[str, Any] = {"labelSelector": {"matchLabels": {"apps": "w"}}}
    return a_workspace() | {"resource": resource | ({"partition": partition} if partition else {})}


async def test_byo_nodes_are_sized_by_their_labels() -> None:
    cluster = Objects(on_own_nodes(), nodes=[a_node("a"), a_node("b")])
    plan = (await planner(cluster, provider="byo").build_plan(KEY)).first.plan
    assert (plan.instance_type, plan.gpus_per_node, plan.data_parallel, plan.max_model_len) == ("", 2, 2, 16384)
    assert (plan.price_per_hour, plan.vcpus_per_node) == (None, 0)


@pytest.mark.parametrize(
    ("told", "gib"),
    [
        pytest.param(["263871416Ki", "128Gi"], 128, id="the smaller one, rounded up"),
        pytest.param(["263871416Ki"], 252, id="as kubelets write it"),
        pytest.param(["64Gi", None], 0, id="one that says nothing"),
        pytest.param(["1e12"], 0, id="another way to write it"),
    ],
)
async def test_byo_pods_may_use_the_memory_that_all_nodes_have(told: list[str | None], gib: int) -> None:
    nodes = [a_node(f"n{number}") for number in range(len(told))]
    for node, memory in zip(nodes, told, strict=True):
        node["status"] = {"capacity": {"memory": memory} if memory else {}}
    plan = (await planner(Objects(on_own_nodes(), nodes=nodes), provider="byo").build_plan(KEY)).first.plan
    assert plan.memory_gib == gib


@pytest.mark.parametrize(
    "label",
    ["kubernetes.azure.com/agentpool", "kubernetes.io/os", "kubernetes.io/hostname", "topology.kubernetes.io/zone"],
)
async def test_byo_nodes_are_found_by_the_labels_that_they_have(label: str) -> None:
    workspace = on_own_nodes() | {"resource": {"labelSelector": {"matchLabels": {label: "x"}}}}
    cluster = Objects(workspace, nodes=[a_node("a")], selector=f"{label}=x")
    plan = (await planner(cluster, provider="byo").build_plan(KEY)).first.plan
    assert (plan.provider, plan.gpus_per_node, plan.max_model_len) == ("byo", 2, 16384)


async def test_a_part_of_a_byo_node_is_used_as_requested() -> None:
    cluster = Objects(on_own_nodes(mode="accelerator", count=1), nodes=[a_node("a")])
    plan = (await planner(cluster, provider="byo").build_plan(KEY)).first.plan
    assert (plan.gpus_per_node, plan.data_parallel) == (1, 1)


@pytest.mark.parametrize(
    ("workspace", "nodes", "reason", "says"),
    [
        pytest.param(on_own_nodes(), [], "NoMatchingNodes", "no node has these labels", id="none"),
        pytest.param(
            on_own_nodes(), [{"metadata": {"name": "n"}}], "NoMatchingNodes", "feature discovery", id="without GPUs"
        ),
        pytest.param(
            on_own_nodes(), [a_node("a"), a_node("b", gpus=4)], "NoMatchingNodes", "choose equal ones", id="unequal"
        ),
        pytest.param(
            on_own_nodes(mode="accelerator", count=4), [a_node("a")], "DoesNotFit", "asks for 4 GPUs", id="too many"
        ),
        pytest.param(on_own_nodes(), [a_node("a", "NVIDIA-A10", 1, 23028)], "DoesNotFit", "needs 30", id="too small"),
    ],
)
async def test_byo_nodes_that_are_too_small_are_reported(
    workspace: dict[str, Any], nodes: list[dict[str, Any]], reason: str, says: str
) -> None:
    with pytest.raises(ApplicationError, match=says) as caught:
        await planner(Objects(workspace, nodes=nodes), provider="byo").build_plan(KEY)
    assert caught.value.type == reason


def with_provider(annotation: str = "", told: str = "", **changes: Any) -> dict[str, Any]:
    """A Workspace on nodes of one's own, as far as this and its status say."""
    found = on_own_nodes() | changes
    found["metadata"] = found["metadata"] | ({"annotations": {NODE_PROVISIONER: annotation}} if annotation else {})
    return found | ({"status": {"plan": {"provider": told, "nodes": 1}}} if told else {})


NODE_PROVISIONER = "kaito.sh/node-provisioner"
BOUGHT = {"resource": a_workspace()["resource"]}


@pytest.mark.parametrize(
    ("workspace", "installed", "held", "expected"),
    [
        pytest.param(with_provider("byo"), "aks", None, "byo", id="the annotation"),
        pytest.param(with_provider("azure-gpu-provisioner", **BOUGHT), "aks", None, "karpenter", id="KAITO's word"),
        pytest.param(with_provider(), "byo", None, "byo", id="the installation"),
        pytest.param(with_provider(), "aks", "byo", "byo", id="what the workflow holds"),
        pytest.param(with_provider(told="byo"), "aks", None, "byo", id="what the status tells of"),
        pytest.param(with_provider(told="gcp", **BOUGHT), "aks", None, "aks", id="a status that nobody understands"),
    ],
)
async def test_a_plan_names_the_node_provider(
    workspace: dict[str, Any], installed: Provider, held: Any, expected: str
) -> None:
    cluster = Objects(workspace, nodes=[a_node("a")])
    planned = await planner(cluster, provider=installed).build_plan(KEY.model_copy(update={"held": held}))
    option, plan = planned.first, planned.first.plan
    assert plan.provider == expected
    assert option.report.provider == expected
    assert (plan.instance_type == "") == (expected == "byo")


@pytest.mark.parametrize(
    ("workspace", "says"),
    [
        pytest.param(with_provider("karpenter", told="byo"), "keeps its provider for life", id="changed"),
        pytest.param(with_provider("gcp"), "use one of aks, azure-gpu-provisioner, byo, karpenter", id="unknown"),
    ],
)
async def test_an_invalid_provider_is_refused(workspace: dict[str, Any], says: str) -> None:
    with pytest.raises(ApplicationError, match=says) as caught:
        await planner(Objects(workspace, nodes=[a_node("a")])).build_plan(KEY)
    assert caught.value.type == "InvalidSpec"


async def test_pools_are_refused_without_a_cloud_worker() -> None:
    alone = Planner(
        Objects(a_workspace()),  # type: ignore[arg-type]  # what is used of a cluster
        location="eastus", deadlines=Deadlines(), images=("r", "f"), with_cloud=False,
    )  # fmt: skip
    with pytest.raises(ApplicationError, match="no worker for Azure") as caught:
        await alone.build_plan(KEY)
    assert caught.value.type == "InvalidSpec"


def a_training(urls: list[str]) -> dict[str, Any]:
    machines = {"modelyard.dev/instance-type-fallbacks": "Standard_NC40ads_H100_v5"}
    found = {key: value for key, value in a_workspace().items() if key != "inference"}
    tuning = {
        "preset": {"name": "phi-3-mini-128k-instruct"},
        "method": "qlora",
        "input": {"urls": urls},
        "output": {"image": "registry.example/adapters/a:1", "imagePushSecret": "push"},
    }
    return found | {"metadata": found["metadata"] | {"annotations": machines}, "tuning": tuning}


async def test_what_is_trained_is_known_of_every_option() -> None:
    """Else other data would be taken for trained already, wherever a fallback was taken."""
    one = (await planner(Objects(a_training(["https://data.example/1"]))).build_plan(KEY)).options
    other = (await planner(Objects(a_training(["https://data.example/2"]))).build_plan(KEY)).options
    digests = [[option.plan.training_digest for option in options] for options in (one, other)]
    assert [len(set(found)) for found in digests] == [1, 1], "the same adapter, wherever it is trained"
    assert "" not in digests[0] and digests[0] != digests[1]
