"""The Kubernetes objects of a plan, as pure functions: serve.json, the Deployment, the Service.

Pods have several containers on purpose: the kubelet starts them in order, so the small `fetch` fills /weights while the
big `serve` image is still being pulled. `adapters.py` adds what adapters need, `pods.py` what all pods have. Objects
carry the plan's digest and not their own: another shape of pods comes with a Workspace's next edit, or with new images,
and restarts nothing before. Nothing here calls a cluster.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from activities.clients.kubernetes import Object
from activities.contract.models import PinnedModel
from activities.contract.payloads import WorkspaceKey
from activities.contract.plan import Plan
from activities.manifests import adapters as adapter_manifests
from activities.manifests import bounds, credentials, pods
from activities.manifests.templates import template_pod
from activities.nodes.provider import node_selector as own_nodes
from api import labels, names
from api.pods import serve as serving
from api.pods.registries import RegistryAccess
from api.pods.template import read_template
from api.pods.weights import local_weights_path
from api.resource.model import AdapterSpec

HTTP_PORT: Final = 80
DRAIN_S: Final = 60
"""Seconds for requests in flight after a pod receives SIGTERM; the first ten only wait for load balancers."""
PRE_STOP_S: Final = 10
STARTUP_PERIOD_S: Final = 5
LOCAL_WEIGHTS: Final = "local-weights"
HUB_CLIENT: Final = {
    # Beside the weights: logs and caches of the hub's client, of which some are as large as a file.
    "HF_HOME": f"{serving.WEIGHTS_ROOT}/.cache/huggingface",
    # hf_xet sizes the buffers of a download by the machine's memory; these fit into what `bounds.fetching` allows.
    "HF_XET_RECONSTRUCTION_DOWNLOAD_BUFFER_SIZE": "512mb",
    "HF_XET_RECONSTRUCTION_DOWNLOAD_BUFFER_LIMIT": "1gb",
}


@dataclass(frozen=True, kw_only=True)
class Images:
    """Image references and how pods reach the hub and registries, from the worker's settings."""

    runtime: str
    fetch: str
    data: str
    hf_endpoint: str
    cpu_kv_cache_gib: int
    registry: RegistryAccess


def workload_objects(
    plan: Plan,
    pinned: PinnedModel | None,
    extra: dict[str, Any],
    template: Object | None,
    images: Images,
    adapters: Sequence[AdapterSpec] = (),
) -> list[tuple[str, Object]]:
    """(kind, object) in the order in which they are applied. `template` is the user's, for plans of that kind."""
    objects: list[tuple[str, Object]] = []
    port = serving.SERVE_PORT
    if plan.kind == "preset" and pinned is not None:
        objects.append(("ConfigMap", _config_map(plan, pinned, extra, images, adapters)))
        pod = _preset_pod(plan, pinned, images, adapters)
    else:
        needs = read_template(template)
        pod, port = template_pod(template or {}, needs), needs.port
    objects.append(("Deployment", _deployment(plan, placed(plan, pod), (template or {}).get("metadata") or {})))
    objects.append(("Service", _service(plan, port)))
    return objects


def selector_of(plan: Plan) -> dict[str, str]:
    """Labels by which Service and Deployment find the pods; immutable, so without the digest."""
    return {labels.WORKSPACE: plan.key.name, labels.WORKSPACE_UID: plan.key.uid}


def metadata_of(plan: Plan, name: str) -> Object:
    """Labels, annotations and owner of everything that is made for a Workspace."""
    key = plan.key
    return {
        "name": name,
        "namespace": key.namespace,
        "labels": labels.ownership(key.namespace, key.name, key.uid),
        "annotations": {labels.CONFIG_HASH: plan.digest, labels.GENERATION: str(plan.generation)},
        "ownerReferences": [owner_of(key)],
    }


def owner_of(key: WorkspaceKey) -> Object:
    """The Workspace as the owner of what is made for it, which goes with it."""
    return {
        "apiVersion": labels.V1BETA1,
        "kind": labels.KIND,
        "name": key.name,
        "uid": key.uid,
        "controller": True,
        "blockOwnerDeletion": True,
    }


def _config_map(
    plan: Plan, pinned: PinnedModel, extra: dict[str, Any], images: Images, adapters: Sequence[AdapterSpec]
) -> Object:
    config = serving.ServeConfig(
        model=pinned.model,
        revision=pinned.revision,
        weights_path=serving.weights_path(pinned.revision),
        fetched=not plan.local_weights,
        served_model_name=plan.served_model_name,
        max_model_len=plan.max_model_len,
        tensor_parallel_size=plan.tensor_parallel,
        pipeline_parallel_size=plan.pipeline_parallel,
        data_parallel_size=plan.data_parallel,
        gpu_memory_utilization=plan.gpu_memory_utilization,
        kv_cache_gib=images.cpu_kv_cache_gib,
        adapters=adapter_manifests.mounts(adapters),
        weights_deadline_s=plan.deadlines.serving,
        model_options=plan.vllm_options,
        extra=extra,
    )
    data = {"serve.json": config.model_dump_json(indent=2)}
    if adapters:
        brought = adapter_manifests.config(adapters, pinned, images.registry)
        data["adapters.json"] = brought.model_dump_json(indent=2)
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": metadata_of(plan, names.serve_config_map(plan.key.name)),
        "data": data,
    }


def _deployment(plan: Plan, pod: Object, template_metadata: Object) -> Object:
    pod_labels = (template_metadata.get("labels") or {}) | labels.ownership(
        plan.key.namespace, plan.key.name, plan.key.uid
    )
    annotations = (template_metadata.get("annotations") or {}) | {labels.CONFIG_HASH: plan.digest}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": metadata_of(plan, names.workload(plan.key.name)),
        "spec": {
            "replicas": plan.node_count,
            # The nodes have exactly the GPUs that the pods need: a new pod can only start after an old one has ended.
            "strategy": {"type": "Recreate"},
            "revisionHistoryLimit": 2,
            "selector": {"matchLabels": selector_of(plan)},
            "template": {"metadata": {"labels": pod_labels, "annotations": annotations}, "spec": pod},
        },
    }


def _service(plan: Plan, port: int) -> Object:
    metadata = metadata_of(plan, names.service(plan.key.name))
    if plan.load_balancer == "internal":
        metadata["annotations"][labels.INTERNAL_LOAD_BALANCER] = "true"
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": metadata,
        "spec": {
            "type": "LoadBalancer" if plan.load_balancer else "ClusterIP",
            "selector": selector_of(plan),
            "ports": [{"name": "http", "port": HTTP_PORT, "targetPort": port, "protocol": "TCP"}],
        },
    }


def placed(plan: Plan, pod: Object) -> Object:
    """Binds a pod to the Workspace's own nodes, whatever else its author set."""
    node_selector = (pod.get("nodeSelector") or {}) | own_nodes(plan)
    tolerations = [*(pod.get("tolerations") or []), *_tolerations(plan)]
    return pod | {"nodeSelector": node_selector, "tolerations": tolerations}


def _tolerations(plan: Plan) -> list[Object]:
    """Of the taints that keep other pods off nodes with GPUs; `activities/nodes/byo/gpu_accounting.py` reckons with
    the same."""
    keys = dict.fromkeys((labels.GPU_RESOURCE, labels.SPOT_TAINT_KEY, plan.gpu_resource))
    own = {"key": labels.GPU_TAINT_KEY, "operator": "Equal", "value": labels.GPU_TAINT_VALUE, "effect": "NoSchedule"}
    return [own, *({"key": key, "operator": "Exists", "effect": "NoSchedule"} for key in keys)]


def _preset_pod(plan: Plan, pinned: PinnedModel, images: Images, adapters: Sequence[AdapterSpec]) -> Object:
    bringing = [adapter_manifests.container(adapters, images.data)] if adapters else []
    serve = _serve(plan, images)
    if adapters:
        serve["volumeMounts"].append(adapter_manifests.serve_mount())
    fetching = [] if plan.local_weights else [fetch_container(plan, pinned, images)]
    if plan.local_weights:
        path = serving.weights_path(pinned.revision)
        serve["volumeMounts"].append({"name": LOCAL_WEIGHTS, "mountPath": path, "readOnly": True})
    pod: Object = {
        "terminationGracePeriodSeconds": DRAIN_S + PRE_STOP_S,
        "containers": [*fetching, *bringing, serve],
        "volumes": [
            *weights_volumes(plan),
            *(_local_weights(pinned) if plan.local_weights else []),
            {"name": "config", "configMap": {"name": names.serve_config_map(plan.key.name)}},
            *(adapter_manifests.volumes(adapters) if adapters else []),
        ],
    }
    sizes = {
        "fetch": bounds.fetching(plan),
        adapter_manifests.CONTAINER: bounds.ADAPTERS,
        "serve": bounds.computing(plan),
    }
    sealed = pods.sealed(pod, sizes)
    if not adapters:
        return sealed
    # Pull Secrets are among the adapters' volumes: they may be missing, and then the program reports which.
    return credentials.mounted(sealed, adapter_manifests.CONTAINER, (), images.registry.azure)


def _local_weights(pinned: PinnedModel) -> list[Object]:
    """The node's own folder: it must be there, or else an empty one would be made on the node."""
    return [{"name": LOCAL_WEIGHTS, "hostPath": {"path": local_weights_path(pinned.model), "type": "Directory"}}]


def fetch_container(plan: Plan, pinned: PinnedModel, images: Images) -> Object:
    """Fills /weights on the node while the large image is pulled. Its volumes are `weights_volumes`."""
    command = ["python", "-m", "runtime.fetch", "--model", pinned.model, "--revision", pinned.revision]
    environment = {"HF_ENDPOINT": images.hf_endpoint} | HUB_CLIENT
    mounts = [{"name": "weights", "mountPath": serving.WEIGHTS_ROOT}]
    if plan.access_secret:
        environment["HF_TOKEN_PATH"] = credentials.HUB_TOKEN_FILE
        mounts.append(credentials.hub_token_mount())
    return {
        "name": "fetch",
        "image": images.fetch,
        "command": [*command, "--to", serving.WEIGHTS_ROOT],
        "env": [{"name": name, "value": value} for name, value in environment.items()],
        "ports": [{"name": "fetch", "containerPort": serving.FETCH_PORT}],
        "volumeMounts": mounts,
    }


def weights_volumes(plan: Plan) -> list[Object]:
    """The volumes of a pod that fetches weights and computes with them."""
    token = [credentials.hub_token_volume(plan.access_secret)] if plan.access_secret else []
    shared_memory = {"name": "shm", "emptyDir": {"medium": "Memory", "sizeLimit": "8Gi"}}
    return [{"name": "weights", "emptyDir": {}}, shared_memory, *token]


def _serve(plan: Plan, images: Images) -> Object:
    health = {"httpGet": {"path": "/health", "port": serving.SERVE_PORT}}
    return {
        "name": "serve",
        "image": images.runtime,
        "command": ["python", "-m", "runtime.serve", "--config", serving.CONFIG_PATH],
        "ports": [{"name": "http", "containerPort": serving.SERVE_PORT}],
        "startupProbe": health
        | {"periodSeconds": STARTUP_PERIOD_S, "failureThreshold": plan.deadlines.serving // STARTUP_PERIOD_S + 1},
        "readinessProbe": health | {"periodSeconds": 2, "timeoutSeconds": 5, "failureThreshold": 3},
        "livenessProbe": health | {"periodSeconds": 10, "timeoutSeconds": 10, "failureThreshold": 6},
        "lifecycle": {"preStop": {"exec": {"command": ["sleep", str(PRE_STOP_S)]}}},
        "volumeMounts": [
            {"name": "weights", "mountPath": serving.WEIGHTS_ROOT},
            {"name": "config", "mountPath": "/etc/modelyard", "readOnly": True},
            {"name": "shm", "mountPath": "/dev/shm"},
        ],
    }
