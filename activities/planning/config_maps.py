"""Reads the ConfigMap that a Workspace names, and of its content what shapes the pods.

What its keys may hold `api/configs` says; `planner.py` makes the digest by which another content is noticed.
"""

import json
from typing import Any

from activities.clients.kubernetes import Cluster, Object
from activities.contract.failures import failure
from api.configs.inference import INFERENCE_KEY, parse_inference_config
from api.configs.option_classes import RemoteCode
from api.configs.problem import ConfigProblem
from api.configs.training import TRAINING_KEY


async def read_config(cluster: Cluster, namespace: str, name: str, remote_code: RemoteCode) -> dict[str, Any]:
    """Returns the vLLM keys of the user's inference_config.yaml. Raises ConfigNotFound, or ConfigInvalid with
    what to change."""
    return vllm_keys(name, await read_config_map(cluster, namespace, name), remote_code(namespace))


async def read_config_map(cluster: Cluster, namespace: str, name: str, path: str = "inference.config") -> Object:
    """Returns the ConfigMap. Raises ConfigNotFound."""
    found = await cluster.get("ConfigMap", name, namespace)
    if found is None:
        raise failure("ConfigNotFound", f"ConfigMap '{name}' named by {path} is not in namespace {namespace}")
    return found


def shaping_text(section: str, name: str, config_map: Object, remote_code_allowed: bool) -> str:
    """The part of the ConfigMap that shapes the pods."""
    if section == "inference":
        return json.dumps(vllm_keys(name, config_map, remote_code_allowed), sort_keys=True)
    return str((config_map.get("data") or {}).get(TRAINING_KEY, ""))


def vllm_keys(name: str, config_map: Object, remote_code_allowed: bool) -> dict[str, Any]:
    """The ConfigMap's vLLM options. Raises ConfigNotFound if it lacks the key, ConfigInvalid."""
    text = (config_map.get("data") or {}).get(INFERENCE_KEY)
    if not isinstance(text, str):
        raise failure("ConfigNotFound", f"ConfigMap '{name}' has no key {INFERENCE_KEY}")
    try:
        return dict(parse_inference_config(text, remote_code_allowed=remote_code_allowed).vllm)
    except ConfigProblem as error:
        raise failure("ConfigInvalid", f"{INFERENCE_KEY} of ConfigMap '{name}': {error}") from None
