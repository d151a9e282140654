"""What adapters add to a model's pod: the container that fetches them, their volumes and pull secrets. Pure functions.

A separate container between `fetch` and `serve`, so that adapters are fetched while weights are and the large image is
pulled. Only it mounts the user's volumes and Secrets; `serve` mounts only its output.
"""

from collections.abc import Sequence
from typing import Final

from activities.clients.kubernetes import Object
from activities.contract.models import PinnedModel
from activities.contract.plan import Plan
from activities.manifests.credentials import DOCKER_CONFIG
from api.pods import adapters as contract
from api.pods.adapter_records import ADAPTERS_ROOT, adapter_folder
from api.pods.registries import RegistryAccess
from api.pods.serve import AdapterMount
from api.resource.model import AdapterSpec

CONTAINER: Final = "adapters"
_SECRETS_VOLUME: Final = "pull-secrets"


def planned(plan: Plan, found: Object) -> list[AdapterSpec]:
    """Returns the Workspace's adapters that the plan has; those of a later edit belong to a later plan."""
    return [spec for spec in written(found) if name_of(spec) in plan.adapters]


def written(found: Object) -> list[AdapterSpec]:
    """Returns all adapters of a Workspace, as it is now."""
    return [AdapterSpec.model_validate(adapter) for adapter in (found.get("inference") or {}).get("adapters") or []]


def name_of(spec: AdapterSpec) -> str:
    """The model name in clients' requests; also the folder's."""
    return (spec.source.name if spec.source else None) or ""


def mounts(specs: Sequence[AdapterSpec]) -> list[AdapterMount]:
    """Where each adapter is mounted, for `serve`'s configuration."""
    return [AdapterMount(name=name_of(spec), path=adapter_folder(name_of(spec))) for spec in specs]


def config(specs: Sequence[AdapterSpec], pinned: PinnedModel, registry: RegistryAccess) -> contract.AdaptersConfig:
    """Returns adapters.json."""
    files = {secret: f"{contract.PULL_SECRETS}/{secret}.json" for secret in _secrets(specs)}
    sources = [
        contract.AdapterSource(
            name=name_of(spec), image=(spec.source.image if spec.source else None) or None, strength=strength_of(spec)
        )
        for spec in specs
    ]
    return contract.AdaptersConfig(
        model=pinned.model, adapters=tuple(sources), registry=registry.model_copy(update={"docker_configs": files})
    )


def container(specs: Sequence[AdapterSpec], image: str) -> Object:
    """Fetches the adapters, then keeps running: the kubelet would restart a container that ends."""
    volumes = [
        {"name": _volume(number), "mountPath": f"{contract.ADAPTER_VOLUMES}/{name_of(spec)}", "readOnly": True}
        for number, spec in enumerate(specs)
        if spec.source and spec.source.volume_source
    ]
    secrets = [{"name": _SECRETS_VOLUME, "mountPath": contract.PULL_SECRETS, "readOnly": True}]
    return {
        "name": CONTAINER,
        "image": image,
        "command": ["python", "-m", "runtime.adapters", "--config", contract.ADAPTERS_CONFIG_PATH],
        "volumeMounts": [
            {"name": "config", "mountPath": "/etc/modelyard", "readOnly": True},
            {"name": "adapters", "mountPath": ADAPTERS_ROOT},
            *(secrets if _secrets(specs) else []),
            *volumes,
        ],
    }


def serve_mount() -> Object:
    """Read-only, so that what was validated is what is served."""
    return {"name": "adapters", "mountPath": ADAPTERS_ROOT, "readOnly": True}


def volumes(specs: Sequence[AdapterSpec]) -> list[Object]:
    """Numbers the users' volumes, because an adapter's name may be too long behind a prefix."""
    theirs = [
        dict(spec.source.volume_source) | {"name": _volume(number)}
        for number, spec in enumerate(specs)
        if spec.source and spec.source.volume_source
    ]
    secrets = _secrets(specs)
    projected = {"name": _SECRETS_VOLUME, "projected": {"sources": [_projected(secret) for secret in secrets]}}
    return [{"name": "adapters", "emptyDir": {}}, *([projected] if secrets else []), *theirs]


def _projected(secret: str) -> Object:
    # Optional: otherwise the pod would wait for the Secret without naming it. The program reports its name.
    items = [{"key": DOCKER_CONFIG, "path": f"{secret}.json"}]
    return {"secret": {"name": secret, "items": items, "optional": True}}


def _secrets(specs: Sequence[AdapterSpec]) -> list[str]:
    """Each once, in the order in which they are tried."""
    named = (secret for spec in specs if spec.source for secret in spec.source.image_pull_secrets or [])
    return list(dict.fromkeys(named))


def strength_of(spec: AdapterSpec) -> float:
    """How much of what it adds to the model is added: 0 to 1."""
    return float(spec.strength) if spec.strength else 1.0


def _volume(number: int) -> str:
    return f"adapter-{number}"
