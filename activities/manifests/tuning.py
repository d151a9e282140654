"""The Kubernetes objects of a tuning, as pure functions: its volume, and for each part a ConfigMap and a Job.

Three Jobs, one after the other: `fetch` and `publish` need no GPU and run anywhere, `train` runs on the Workspace's own
nodes. The kubelet restarts pods in place, so that weights and images stay; tuning/pods.py decides whether another start
is worthwhile. Objects carry the part's digest; nothing here calls a cluster.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from activities.clients.kubernetes import Object
from activities.contract.models import PinnedModel
from activities.contract.plan import Plan
from activities.contract.tuning import TuningPart
from activities.manifests import bounds, credentials, pods
from activities.manifests import serving as manifests
from api import labels, names
from api.configs.mounted_paths import DATA
from api.configs.training import TrainingConfig
from api.pods import serve
from api.pods.data import DATA_CONFIG_PATH, DATA_PORT, DataConfig
from api.pods.publish import PUBLISH_CONFIG_PATH, PUBLISH_PORT, PublishConfig
from api.pods.registries import AzureIdentity, RegistryAccess
from api.pods.tune import TUNE_CONFIG_PATH, TUNE_PORT, TuneConfig
from api.resource.data import DataDestination, DataSource

CONFIG_FOLDER: Final = "/etc/modelyard"
CHECKPOINTS: Final = "/run/modelyard/checkpoints"
"""Outside /mnt, where users choose paths of their own."""
FOLDERS: Final = {"data": "data", "results": "results", "checkpoints": "checkpoints"}
"""Folders of the run's own volume."""
CHECKPOINTS_ON_OUTPUT: Final = "modelyard-checkpoints"
"""Folder of the user's output volume if the run has no volume of its own."""
TOKENIZER: Final = "tokenizer"
"""The container and the volume with the tokenizer's files, by which the data is judged."""
TOKENIZER_ROOT: Final = "/run/modelyard/tokenizer"
TOKENIZER_SIZE: Final = "512Mi"
"""Those of the largest vocabularies have some 40 MB."""
BACKOFF_LIMIT: Final = 1000
"""So high that the Job never fails by itself, which would delete the pod and with it the reason."""
STOP_S: Final = int(TuneConfig.model_fields["stop_s"].default)
STOP_MARGIN_S: Final = 20
PORTS: Final[Mapping[str, int]] = {"fetch": DATA_PORT, "train": TUNE_PORT, "publish": PUBLISH_PORT}


@dataclass(frozen=True)
class TuningPodSettings:
    """The worker's settings for tuning pods."""

    tune_image: str
    data_image: str
    storage_class: str = ""
    environment: Mapping[str, str] = field(default_factory=dict)
    plain_http: tuple[str, ...] = ()
    allowed_hosts: tuple[str, ...] = ()
    identity: AzureIdentity | None = None


@dataclass(frozen=True)
class Tuning:
    """A Workspace's parsed tuning section, with its ConfigMap's content."""

    preset: str
    input: DataSource
    output: DataDestination
    config: TrainingConfig


def needs_volume(tuning: Tuning) -> bool:
    """Whether the run needs a volume of its own; False if the user's own volumes hold data and results."""
    return tuning.input.volume_source is None or tuning.output.volume_source is None


def volume_claim(plan: Plan, storage_class: str) -> Object:
    """The run's own volume. ReadWriteOnce: the Jobs follow one another."""
    spec: Object = {
        "accessModes": ["ReadWriteOnce"],
        "resources": {"requests": {"storage": f"{plan.volume_gib}Gi"}},
    }
    if storage_class:
        spec["storageClassName"] = storage_class
    metadata = manifests.metadata_of(plan, names.tuning_volume(plan.key.name))
    return {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": metadata, "spec": spec}


def config_of(
    plan: Plan,
    part: TuningPart,
    tuning: Tuning,
    pinned: PinnedModel | None,
    around: TuningPodSettings,
    hf_endpoint: str,
) -> DataConfig | TuneConfig | PublishConfig:
    """Returns the configuration of the part's program."""
    if part == "fetch":
        return DataConfig(
            urls=tuple(tuning.input.urls or ()),
            image=tuning.input.image,
            dataset=tuning.config.dataset,
            registry=_registry(plan, part, tuning, around),
            allowed_hosts=around.allowed_hosts,
            hf_endpoint=hf_endpoint,
            tokenizer_folder=f"{TOKENIZER_ROOT}/{pinned.revision}" if pinned else None,
            chat_template=_chat_template(tuning.config),
        )
    if part == "publish":
        return PublishConfig(
            folder=tuning.config.output_dir,
            image=plan.output_image,
            model_name=tuning.preset,
            registry=_registry(plan, part, tuning, around),
        )
    if pinned is None:
        raise ValueError("a training needs a model whose commit is known")
    return TuneConfig(
        model=pinned.model,
        revision=pinned.revision,
        weights_path=serve.weights_path(pinned.revision),
        method=plan.method or "lora",
        training=tuning.config,
        output_folder=tuning.config.output_dir,
        checkpoint_folder=CHECKPOINTS,
        processes=max(1, plan.gpus_per_node),
        weights_deadline_s=plan.deadlines.serving,
    )


def _chat_template(config: TrainingConfig) -> str | None:
    """What the training uses in the place of the model's own, in its order (`runtime/tune/base_model.py`)."""
    path = config.training.get("chat_template_path")
    return str(path) if path else config.model.chat_template


def config_map(plan: Plan, part: TuningPart, digest: str, content: str) -> Object:
    """The ConfigMap with one part's configuration."""
    metadata = manifests.metadata_of(plan, names.tuning_config_map(plan.key.name, part))
    metadata["annotations"] |= {labels.CONFIG_HASH: digest}
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": metadata,
        "data": {_CONFIG_PATHS[part].rpartition("/")[2]: content},
    }


def job(
    plan: Plan,
    part: TuningPart,
    digest: str,
    tuning: Tuning,
    pinned: PinnedModel | None,
    around: TuningPodSettings,
    images: manifests.Images,
) -> Object:
    """The Job of one part."""
    key = plan.key
    own = labels.ownership(key.namespace, key.name, key.uid) | {labels.COMPONENT: part}
    metadata = manifests.metadata_of(plan, names.tuning_job(key.name, part))
    metadata["labels"] = own
    metadata["annotations"] |= {labels.CONFIG_HASH: digest}
    pod = _pod(plan, part, tuning, pinned, around, images)
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": metadata,
        "spec": {
            "backoffLimit": BACKOFF_LIMIT,
            "template": {"metadata": {"labels": own, "annotations": {labels.CONFIG_HASH: digest}}, "spec": pod},
        },
    }


_CONFIG_PATHS: Final[Mapping[str, str]] = {
    "fetch": DATA_CONFIG_PATH,
    "train": TUNE_CONFIG_PATH,
    "publish": PUBLISH_CONFIG_PATH,
}
_MODULES: Final[Mapping[str, str]] = {"fetch": "runtime.data", "train": "runtime.tune", "publish": "runtime.publish"}


def _pod(
    plan: Plan,
    part: TuningPart,
    tuning: Tuning,
    pinned: PinnedModel | None,
    around: TuningPodSettings,
    images: manifests.Images,
) -> Object:
    volumes, mounts = _storage(plan, part, tuning)
    config = {"name": "config", "configMap": {"name": names.tuning_config_map(plan.key.name, part)}}
    container: Object = {
        "name": part,
        "image": around.tune_image if part == "train" else around.data_image,
        "command": ["python", "-m", _MODULES[part], "--config", _CONFIG_PATHS[part]],
        "ports": [{"name": "http", "containerPort": PORTS[part]}],
        "volumeMounts": [*mounts, {"name": "config", "mountPath": CONFIG_FOLDER, "readOnly": True}],
    }
    pod: Object = {"restartPolicy": "OnFailure", "containers": [container], "volumes": [*volumes, config]}
    if part == "train" and pinned is not None:
        return manifests.placed(plan, _training(plan, pod, pinned, images, around.environment))
    sizes: dict[str, bounds.Bounds] = {part: bounds.PUBLISH if part == "publish" else bounds.FETCH_DATA}
    if part == "fetch" and pinned is not None:
        pod, sizes = _with_tokenizer(plan, pod, pinned, images), sizes | {TOKENIZER: bounds.TOKENIZER}
    return credentials.mounted(pods.sealed(pod, sizes), part, secrets_of(plan, part, tuning), around.identity)


def _with_tokenizer(plan: Plan, pod: Object, pinned: PinnedModel, images: manifests.Images) -> Object:
    """Fetches the tokenizer's files while data is fetched, from where the weights will come, with the same token."""
    (container,) = pod["containers"]
    fetch = manifests.fetch_container(plan, pinned, images)
    mount = {"name": TOKENIZER, "mountPath": TOKENIZER_ROOT}
    others = [one for one in fetch["volumeMounts"] if one["name"] != "weights"]
    fetch |= {
        "name": TOKENIZER,
        "command": [*fetch["command"], "--to", TOKENIZER_ROOT, "--tokenizer-only", "--once"],
        "volumeMounts": [mount, *others],
    }
    judging = container | {"volumeMounts": [*container["volumeMounts"], mount | {"readOnly": True}]}
    token = [credentials.hub_token_volume(plan.access_secret)] if plan.access_secret else []
    volume: Object = {"name": TOKENIZER, "emptyDir": {"sizeLimit": TOKENIZER_SIZE}}
    return pod | {"containers": [fetch, judging], "volumes": [*pod["volumes"], volume, *token]}


def _training(
    plan: Plan, pod: Object, pinned: PinnedModel, images: manifests.Images, environment: Mapping[str, str]
) -> Object:
    """Fetches the weights while the training image is pulled, as for serving."""
    (container,) = pod["containers"]
    weights = {"name": "weights", "mountPath": serve.WEIGHTS_ROOT}
    fetch = manifests.fetch_container(plan, pinned, images)
    training = container | {
        "env": [{"name": name, "value": value} for name, value in environment.items()],
        "volumeMounts": [*container["volumeMounts"], weights, {"name": "shm", "mountPath": "/dev/shm"}],
    }
    whole = pod | {
        "containers": [fetch | {"command": [*fetch["command"], "--once"]}, training],
        "volumes": [*pod["volumes"], *manifests.weights_volumes(plan)],
        "terminationGracePeriodSeconds": STOP_S + STOP_MARGIN_S,
    }
    return pods.sealed(whole, {"fetch": bounds.fetching(plan), "train": bounds.computing(plan)})


def _storage(plan: Plan, part: TuningPart, tuning: Tuning) -> tuple[list[Object], list[Object]]:
    """Returns volumes and mounts: folders of the run's own volume, or the user's volumes in their place."""
    user = {"data": tuning.input.volume_source, "results": tuning.output.volume_source}
    mounts: list[Object] = []
    used: dict[str, Object] = {}

    def mount(folder: str, path: str) -> None:
        source = user.get(folder)
        if source is not None:
            used[folder] = source
            mounts.append({"name": folder, "mountPath": path})
        elif folder == "checkpoints" and not needs_volume(tuning) and user["results"] is not None:
            mounts.append({"name": "results", "mountPath": path, "subPath": CHECKPOINTS_ON_OUTPUT})
        else:
            used["run"] = {"persistentVolumeClaim": {"claimName": names.tuning_volume(plan.key.name)}}
            mounts.append({"name": "run", "mountPath": path, "subPath": FOLDERS[folder]})

    if part in ("fetch", "train"):
        mount("data", DATA)
    if part in ("train", "publish"):
        mount("results", tuning.config.output_dir)
    if part == "train":
        mount("checkpoints", CHECKPOINTS)
    return [{"name": name, **source} for name, source in used.items()], mounts


def secrets_of(plan: Plan, part: TuningPart, tuning: Tuning) -> list[str]:
    """Names of the Secrets that the part's pod mounts."""
    if part == "fetch":
        return list(tuning.input.image_pull_secrets or ())
    return [plan.output_secret] if part == "publish" and plan.output_secret else []


def _registry(plan: Plan, part: TuningPart, tuning: Tuning, around: TuningPodSettings) -> RegistryAccess:
    return credentials.registry_access(
        secrets_of(plan, part, tuning),
        plain_http=around.plain_http,
        allowed_hosts=around.allowed_hosts,
        identity=around.identity,
    )
