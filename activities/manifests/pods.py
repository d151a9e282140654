"""What all our pods have in common, so that a namespace that enforces Pod Security `restricted` admits them. Pure.

One user without rights, no way to more of them, a root file system that nobody can write. What is written has a volume:
each container its own /tmp, the rest its builder's. `bounds.py` says how large; pods of users' templates are theirs.
"""

from collections.abc import Mapping
from typing import Final

from activities.clients.kubernetes import Object
from activities.manifests.bounds import Bounds

USER: Final = 65532
"""User and group of our images (deploy/images/Containerfile): by number, because Kubernetes cannot tell whether a name
is root's."""
TMP: Final = "/tmp"
_CONTAINER_SECURITY: Final = {
    "allowPrivilegeEscalation": False,
    "capabilities": {"drop": ["ALL"]},
    "readOnlyRootFilesystem": True,
}


def sealed(pod: Object, bounds: Mapping[str, Bounds]) -> Object:
    """Returns the pod with what all have in common. `bounds`: each container's, by its name."""
    return pod | {
        # Code of models, trainings and data formats must not have access to the API server.
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "securityContext": _pod_security(),
        "containers": [_sealed_container(one, bounds[one["name"]]) for one in pod["containers"]],
        "volumes": [*pod["volumes"], *(_tmp(one["name"], bounds[one["name"]]) for one in pod["containers"])],
    }


def _pod_security() -> Object:
    return {
        "runAsNonRoot": True,
        "runAsUser": USER,
        "runAsGroup": USER,
        # Volumes are made by root, and so are files that pods of earlier releases left on a claim.
        "fsGroup": USER,
        # A volume of a million files is walked once, not at every start.
        "fsGroupChangePolicy": "OnRootMismatch",
        "seccompProfile": {"type": "RuntimeDefault"},
    }


def _sealed_container(container: Object, bounds: Bounds) -> Object:
    tmp = {"name": _tmp_name(container["name"]), "mountPath": TMP}
    return container | {
        "resources": bounds.resources(),
        "securityContext": _CONTAINER_SECURITY,
        "volumeMounts": [*container["volumeMounts"], tmp],
        "terminationMessagePolicy": "FallbackToLogsOnError",
    }


def _tmp(container: str, bounds: Bounds) -> Object:
    return {"name": _tmp_name(container), "emptyDir": {"sizeLimit": bounds.tmp}}


def _tmp_name(container: str) -> str:
    return f"tmp-{container}"
