"""Credentials as files in pods: docker configs of Secrets, the hub's token, that of a workload identity. Pure.

Never in the environment, which every child process inherits, and never as an argument, which every process can read.
"""

from collections.abc import Iterable
from pathlib import PurePosixPath
from typing import Final

from activities.clients.kubernetes import Object
from activities.errors.hub import TOKEN_KEY
from api.pods.registries import AzureIdentity, RegistryAccess

FOLDER: Final = "/etc/modelyard-registries"
DOCKER_CONFIG: Final = ".dockerconfigjson"
"""The key of Secrets of type kubernetes.io/dockerconfigjson."""
HUB_FOLDER: Final = "/etc/modelyard-hub"
HUB_TOKEN_FILE: Final = f"{HUB_FOLDER}/{TOKEN_KEY}"
AUDIENCE: Final = "api://AzureADTokenExchange"
"""The audience for which Entra accepts a service account's token (Microsoft, "Workload identity federation")."""
TOKEN_S: Final = 3600


def registry_access(
    secrets: Iterable[str],
    *,
    plain_http: tuple[str, ...],
    allowed_hosts: tuple[str, ...],
    identity: AzureIdentity | None,
) -> RegistryAccess:
    """The registry section of a pod's configuration; its files are those that `mounted` mounts."""
    return RegistryAccess(
        docker_configs={name: f"{FOLDER}/{name}/{DOCKER_CONFIG}" for name in _each(secrets)},
        plain_http=plain_http,
        allowed_hosts=allowed_hosts,
        azure=identity,
    )


def mounted(pod: Object, container: str, secrets: Iterable[str], identity: AzureIdentity | None) -> Object:
    """Returns the pod with the credentials mounted in one of its containers."""
    volumes: list[Object] = []
    mounts: list[Object] = []
    for number, name in enumerate(_each(secrets)):
        items = [{"key": DOCKER_CONFIG, "path": DOCKER_CONFIG}]
        volumes.append({"name": f"registry-{number}", "secret": {"secretName": name, "items": items}})
        mounts.append({"name": f"registry-{number}", "mountPath": f"{FOLDER}/{name}", "readOnly": True})
    if identity:
        file = PurePosixPath(identity.token_file)
        token = {"audience": AUDIENCE, "expirationSeconds": TOKEN_S, "path": file.name}
        volumes.append({"name": "identity", "projected": {"sources": [{"serviceAccountToken": token}]}})
        mounts.append({"name": "identity", "mountPath": str(file.parent), "readOnly": True})
    containers = [
        one | {"volumeMounts": [*one.get("volumeMounts", []), *mounts]} if one["name"] == container else one
        for one in pod["containers"]
    ]
    return pod | {"containers": containers, "volumes": [*pod.get("volumes", []), *volumes]}


def hub_token_volume(secret: str) -> Object:
    """The token of a model hub. Optional: otherwise the pod would wait for the Secret without naming it. The program
    reports that."""
    items = [{"key": TOKEN_KEY, "path": TOKEN_KEY}]
    return {"name": "hub-token", "secret": {"secretName": secret, "items": items, "optional": True}}


def hub_token_mount() -> Object:
    """Where `fetch` finds the token."""
    return {"name": "hub-token", "mountPath": HUB_FOLDER, "readOnly": True}


def _each(secrets: Iterable[str]) -> list[str]:
    return [name for name in dict.fromkeys(secrets) if name]
