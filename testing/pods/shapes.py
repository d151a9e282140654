"""Every shape of pod that is made for a Workspace, by a name that says what is special about it.

For tests that hold for all of them. `activities/manifests` makes them; pods of users' templates are not among them.
"""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any, Final

from activities.clients.kubernetes import Object
from activities.contract.payloads import WorkspaceKey
from activities.contract.plan import Plan
from activities.contract.tuning import TuningPart
from activities.manifests import adapters
from activities.manifests.serving import workload_objects
from activities.manifests.tuning import Tuning, TuningPodSettings, job
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
    images = replace(IMAGES, registry=RegistryAccess(azure=identity))
    specs = adapters.planned(plan, {"inference": {"adapters": ADAPTERS}})
    made = dict(workload_objects(plan, PINNED, {}, None, images, specs))
    pod: Object = made["Deployment"]["spec"]["template"]["spec"]
    return pod


def _job(part: TuningPart, method: str, tuning: Tuning, identity: AzureIdentity | None = None) -> Object:
    output = {"output_image": tuning.output.image or "", "output_secret": tuning.output.image_push_secret or ""}
    plan = _plan(kind="tuning", method=method, access_secret="hub", volume_gib=10, **output)
    around = TuningPodSettings(tune_image="tune:1", data_image="data:1", identity=identity)
    pod: Object = job(plan, part, "digest", tuning, PINNED, around, IMAGES)["spec"]["template"]["spec"]
    return pod


def _plan(**changes: Any) -> Plan:
    key = WorkspaceKey(namespace="team", name="w", uid="0b6f3c1e-5c1f-4c8e-9a55-6f0d3f8d1a11")
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
