"""Reads the settings of a tuning Workspace: its section and the ConfigMap that it names, when a Job is created.

Neither is ever a payload: users write them, and histories are kept for long.
"""

import hashlib
import json

from activities.clients.kubernetes import Cluster, Object
from activities.contract.failures import failure
from activities.contract.plan import Plan
from activities.manifests.tuning import Tuning
from activities.workspaces import read_existing
from api.configs.option_classes import RemoteCode
from api.configs.problem import ConfigProblem
from api.configs.training import (
    TRAINING_KEY,
    TrainingConfig,
    default_training_config,
    method_problem,
    parse_training_config,
)
from api.resource.invalid import InvalidWorkspace
from api.resource.workspace import Workspace


async def read_tuning(cluster: Cluster, plan: Plan, remote_code: RemoteCode) -> Tuning:
    """Returns the current section. Raises WorkspaceGone, InvalidSpec, ConfigNotFound, ConfigInvalid."""
    key = plan.key
    found = await read_existing(cluster, key)
    try:
        tuning = Workspace.parse(found).tuning
    except InvalidWorkspace as error:
        raise failure("InvalidSpec", str(error)) from None
    if tuning is None:
        raise failure("SectionMissing", f"Workspace {key.namespace}/{key.name} has no tuning section")
    name, allowed = tuning.config or "", remote_code(key.namespace)
    config = await read_training_config(cluster, key.namespace, name, plan.method, remote_code_allowed=allowed)
    preset = tuning.preset.name if tuning.preset else ""
    return Tuning(preset=preset, input=tuning.input, output=tuning.output, config=config)


async def read_training_config(
    cluster: Cluster, namespace: str, name: str, method: str, *, remote_code_allowed: bool
) -> TrainingConfig:
    """Returns the ConfigMap's settings, or the defaults. Raises ConfigNotFound, ConfigInvalid."""
    if not name:
        return default_training_config(method)
    found = await cluster.get("ConfigMap", name, namespace)
    return training_config_of(found, namespace, name, method, remote_code_allowed=remote_code_allowed)


def training_config_of(
    config_map: Object | None, namespace: str, name: str, method: str, *, remote_code_allowed: bool = False
) -> TrainingConfig:
    """The typed content. Raises ConfigNotFound, ConfigInvalid."""
    if config_map is None:
        raise failure("ConfigNotFound", f"ConfigMap '{name}' named by tuning.config is not in namespace {namespace}")
    text = (config_map.get("data") or {}).get(TRAINING_KEY)
    if not isinstance(text, str):
        raise failure("ConfigNotFound", f"ConfigMap '{name}' has no key {TRAINING_KEY}")
    try:
        config = parse_training_config(text, remote_code_allowed=remote_code_allowed)
    except ConfigProblem as error:
        raise failure("ConfigInvalid", f"{TRAINING_KEY} of ConfigMap '{name}': {error}") from None
    if problem := method_problem(config, method):
        raise failure("ConfigInvalid", f"{TRAINING_KEY} of ConfigMap '{name}': {problem[0]}: {problem[1]}")
    return config


def part_digest(content: str, job: Object) -> str:
    """16 hex digits over the program's configuration and its pod."""
    pod = json.dumps(job["spec"]["template"]["spec"], sort_keys=True)
    return hashlib.sha256(f"{content}\n{pod}".encode()).hexdigest()[:16]
