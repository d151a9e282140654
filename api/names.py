"""Names of everything made for a Workspace, and the rules they must keep.

All are derived from the Workspace alone, so that a retry finds what the first attempt created. Limits are Kubernetes'
(RFC 1035 labels for Services, 63 characters) and AKS' (pool names match `^[a-z][a-z0-9]{0,11}$`).
"""

import base64
import hashlib
import re
from typing import NamedTuple

WORKFLOW_PREFIX = "workspace/"
POOL_NAME = re.compile(r"[a-z][a-z0-9]{0,11}")
LABEL_MAX = 63
_HEADLESS = "-headless"
_SERVE_CONFIG = "-serve"
_DISRUPTION_BUDGET = "-pdb"
_TUNING_VOLUME = "-tuning"
# The longest suffix decides how long a Workspace's own name may be.
WORKSPACE_NAME_MAX = LABEL_MAX - len(_HEADLESS)

_RFC1035 = re.compile(r"[a-z]([-a-z0-9]*[a-z0-9])?")
_RFC1123 = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")
_SUBDOMAIN = re.compile(rf"{_RFC1123.pattern}(\.{_RFC1123.pattern})*")
SUBDOMAIN_MAX = 253


class WorkspaceKey(NamedTuple):
    """Namespace and name of a Workspace."""

    namespace: str
    name: str


def workflow_id(namespace: str, name: str) -> str:
    """Id of the one workflow that reconciles a Workspace."""
    return f"{WORKFLOW_PREFIX}{namespace}/{name}"


def key_of_workflow(id_: str) -> WorkspaceKey:
    """The Workspace of a workflow id. Raises ValueError if the id is not Modelyard's."""
    parts = id_.split("/")
    if len(parts) != 3 or not id_.startswith(WORKFLOW_PREFIX) or not all(parts):
        raise ValueError(f"{id_!r} is not a Workspace workflow id: expected {WORKFLOW_PREFIX}<namespace>/<name>")
    return WorkspaceKey(parts[1], parts[2])


def pool_name(uid: str) -> str:
    """Name of the node pool bought for the Workspace with this UID: `ws` and 10 base32 characters (50 bits)."""
    if not uid:
        raise ValueError("a node pool's name is derived from the Workspace's UID, and the UID is empty")
    digest = base64.b32encode(hashlib.sha256(uid.encode()).digest()).decode().lower()
    return f"ws{digest[:10]}"


def share_of(uid: str) -> float:
    """A number from 0 to 1 for this UID, always the same: what many do at the same time, each does by this share
    earlier."""
    return int.from_bytes(hashlib.sha256(uid.encode()).digest()[:4]) / 2**32


def workload(name: str) -> str:
    """Name of the Deployment or StatefulSet, of its container's pod label, and of the tuning Job."""
    return name


def service(name: str) -> str:
    """Name of the Service that clients use."""
    return name


def headless_service(name: str) -> str:
    """Name of the Service that gives the pods of a multi-node group their own addresses."""
    return name + _HEADLESS


def serve_config_map(name: str) -> str:
    """Name of the ConfigMap that holds serve.json."""
    return name + _SERVE_CONFIG


def kept_workload(name: str, digest: str) -> str:
    """ControllerRevision that keeps what served with this digest."""
    return f"{workload(name)}-{digest}"


def disruption_budget(name: str) -> str:
    """Name of the PodDisruptionBudget."""
    return name + _DISRUPTION_BUDGET


def tuning_job(name: str, part: str) -> str:
    """Name of the Job for one part of a tuning: fetch, train or publish. The training's is the Workspace's own, as
    KAITO's is."""
    return workload(name) if part == "train" else f"{name}-{part}"


def tuning_config_map(name: str, part: str) -> str:
    """Name of the ConfigMap that configures that Job."""
    return f"{name}-{part}"


def tuning_volume(name: str) -> str:
    """Name of the volume claim that keeps data, checkpoints and adapter for as long as the Workspace lives."""
    return name + _TUNING_VOLUME


def workspace_name_problem(name: str) -> str | None:
    """Returns why a Workspace cannot have this name, with the fix; None if it can.

    Stricter than KAITO, which admits names whose Service (must start with a letter) or headless Service (63 characters)
    it cannot create later, after nodes were bought.
    """
    if len(name) > WORKSPACE_NAME_MAX:
        return (
            f"{name!r} has {len(name)} characters; at most {WORKSPACE_NAME_MAX} fit, because the Service "
            f"<name>{_HEADLESS} may have {LABEL_MAX}"
        )
    if not _RFC1035.fullmatch(name):
        return (
            f"{name!r} must start with a lower-case letter and hold only lower-case letters, digits and '-', "
            f"because a Service gets this name"
        )
    return None


def is_label(name: str) -> bool:
    """Whether this is an RFC 1123 label, as names of namespaces are."""
    return len(name) <= LABEL_MAX and _RFC1123.fullmatch(name) is not None


def is_subdomain(name: str) -> bool:
    """Whether this is an RFC 1123 subdomain, as names of most Kubernetes objects are."""
    return len(name) <= SUBDOMAIN_MAX and _SUBDOMAIN.fullmatch(name) is not None


def adapter_name_problem(name: str) -> str | None:
    """Why an adapter cannot have this name (it becomes a volume, a container and a model name); None when it can."""
    if not name:
        return "an adapter needs source.name: it is the model name that clients ask for"
    if not is_label(name):
        return f"{name!r} must hold only lower-case letters, digits and '-', at most {LABEL_MAX} characters"
    return None
