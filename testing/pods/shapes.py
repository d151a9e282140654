"""Every shape of pod that is made for a Workspace, by a name that says what is special about it, and every object.

For tests that hold for all of them. `activities/manifests` makes them; pods of users' templates are not among them.
"""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any, Final
from uuid import NAMESPACE_DNS, uuid5

from activities.clients.kubernetes import Object
from activities.contract.payloads import WorkspaceKey
from activities.contract.plan import Plan
from activities.contract.tuning import TuningPart
from activities.manifests import adapters
from activities.manifests.disruption_budget import budget
from activities.manifests.serving import workload_objects
from activities.manifests.tuning import Tuning, TuningPodSettings, job, volume_claim
from activities.nodes.karpenter.node_claim import NodeClass, claim_name, node_claim
from api import names
from api.configs.training import parse_training_config
from api.pods.registries import AzureIdentity, RegistryAccess
from api.resource.data import DataDestination, DataSource
from testing.pods.inputs import IMAGES, PINNED

IDENTITY: Final = AzureIdentity(tenant_id="t", client_id="c")
CLAIM: Final[Object] = {"persistentVolumeClaim": {"claimName": "theirs"}}
ADAPTERS: Final[list[dict[str, Any]]] = [
    {"source": {"name": "public", "image": "registry/public:1"}},
    {"source": {"name": "private", "image": "registry/private:1", "imagePullSecrets": ["account"]}},
    {"source": {"name": "kept", "volumeSource": CLAIM}},
]
PARTS: Final[tuple[TuningPart, ...]] = ("fetch", "train", "publish")
INPUTS: Final = {
    "links": DataSource(urls=["https://data/rows.jsonl"]),
    "image": DataSource(image="registry/data:1", image_pull_secrets=["account"]),
    "claim": DataSource(volume_source=CLAIM),
}
OUTPUTS: Final = {
    "registry": DataDestination(image="registry/out:1", image_push_secret="push"),
    "claim": DataDestination(volume_source=CLAIM),
}


def shapes() -> dict[str, Object]:
    """Returns the specs of all pods by name."""
    return dict(_all())


def objects() -> list[Object]:
    """Returns every kind of object that is made for Workspaces: one that serves with adapters on two nodes, one whose
    weights are the nodes' own, one that trains. ConfigMaps have nothing that a rule looks at, and are left out."""
    serving = _plan(key=_key("serves"), node_count=2, adapters=("public",))
    local = _plan(key=_key("local"), local_weights=True)
    made = [each for plan in (serving, local) for kind, each in _workload(plan) if kind != "ConfigMap"]
    deployment = next(each for each in made if each["kind"] == "Deployment")
    tuning = Tuning("m", INPUTS["links"], OUTPUTS["registry"], parse_training_config("training_config: {}"))
    training = _training(tuning, "lora", key=_key("trains"))
    jobs = [_made_job(training, part, tuning) for part in PARTS]
    claim = node_claim(serving, claim_name(serving.key.uid, 0), NodeClass())
    return [*made, budget(deployment, serving.key.name), *jobs, volume_claim(training, "managed-csi"), claim]


def _all() -> Iterator[tuple[str, Object]]:
    yield from _serving()
    for method in ("lora", "qlora"):
        for given, data in INPUTS.items():
            for taken, output in OUTPUTS.items():
                tuning = Tuning("m", data, output, parse_training_config("training_config: {}"))
                for part in PARTS:
                    yield f"{part} {method} from {given} to {taken}", _job(part, method, tuning)
                    yield f"{part} {method} from {given} to {taken}, identity", _job(part, method, tuning, IDENTITY)


def _serving() -> Iterator[tuple[str, Object]]:
    yield "preset", _serve(_plan())
    yield "several GPUs", _serve(_plan(gpus_per_node=8, instance_type="Standard_ND96isr_H100_v5"))
    yield "own nodes", _serve(_plan(provider="byo", instance_type="", memory_gib=64))
    yield "own nodes of unknown size", _serve(_plan(provider="byo", instance_type=""))
    yield "gated model", _serve(_plan(access_secret="hub"))
    yield "adapters", _serve(_plan(adapters=("public", "private", "kept"), access_secret="hub"))
    yield "adapters, identity", _serve(_plan(adapters=("public",)), IDENTITY)


def _serve(plan: Plan, identity: AzureIdentity | None = None) -> Object:
    pod: Object = dict(_workload(plan, identity))["Deployment"]["spec"]["template"]["spec"]
    return pod


def _workload(plan: Plan, identity: AzureIdentity | None = None) -> list[tuple[str, Object]]:
    images = replace(IMAGES, registry=RegistryAccess(azure=identity))
    specs = adapters.planned(plan, {"inference": {"adapters": ADAPTERS}})
    return workload_objects(plan, PINNED, {}, None, images, specs)


def _job(part: TuningPart, method: str, tuning: Tuning, identity: AzureIdentity | None = None) -> Object:
    pod: Object = _made_job(_training(tuning, method), part, tuning, identity)["spec"]["template"]["spec"]
    return pod


def _training(tuning: Tuning, method: str, **changes: Any) -> Plan:
    output = {"output_image": tuning.output.image or "", "output_secret": tuning.output.image_push_secret or ""}
    return _plan(**{"kind": "tuning", "method": method, "access_secret": "hub", "volume_gib": 10} | output | changes)


def _made_job(plan: Plan, part: TuningPart, tuning: Tuning, identity: AzureIdentity | None = None) -> Object:
    around = TuningPodSettings(tune_image="tune:1", data_image="data:1", identity=identity)
    return job(plan, part, "digest", tuning, PINNED, around, IMAGES)


def _key(name: str) -> WorkspaceKey:
    return WorkspaceKey(namespace="team", name=name, uid=str(uuid5(NAMESPACE_DNS, name)))


def _plan(**changes: Any) -> Plan:
    key: WorkspaceKey = changes.get("key") or WorkspaceKey(
        namespace="team", name="w", uid="0b6f3c1e-5c1f-4c8e-9a55-6f0d3f8d1a11"
    )
    usual: dict[str, Any] = {
        "key": key,
        "generation": 1,
        "kind": "preset",
        "model": "org/m",
        "instance_type": "Standard_NC24ads_A100_v4",
        "node_count": 1,
        "gpus_per_node": 1,
        "pool_name": names.pool_name(key.uid),
        "os_disk_gib": 137,
    }
    return Plan(**(usual | changes))
