"""Converts a ServeConfig into vLLM's argument list. Pure functions: the same config gives the same list.

`options.py` reads the available options from vLLM's parser. `api/configs/inference.py` defines which of them users may
set and how their keys are parsed. Environment variables are left to `environment.py`.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Literal

from pydantic import JsonValue

from api.configs.arguments import Argument
from api.configs.inference import vllm_options
from api.configs.servable import served_rank
from api.pods.serve import ServeConfig
from runtime.serve.failures import ConfigInvalid

Device = Literal["cpu", "cuda"]
GIB = 2**30
# Eager: on 2 cores it starts 80 s sooner than torch.compile. vLLM's own kernel for rotary embeddings, which eager and
# LoRA enable, rounds differently from transformers and torch.compile; without it near ties resolve the same way. For
# the capital of France, SmolLM2 prefers "The" to "L" by 0.1, less than bfloat16 can separate: with the kernel the
# answer began with "L'Etoile".
CPU_COMPILATION: dict[str, JsonValue] = {"mode": 0, "custom_ops": ["all", "-rotary_embedding"]}


class Kind(Enum):
    """The way an option takes its value."""

    SWITCH = "switch"
    """--name / --no-name, never with a value."""
    FLAG = "flag"
    """--name or nothing; --no-name does not exist."""
    LIST = "list"
    """--name a b c"""
    VALUE = "value"


@dataclass(frozen=True)
class Option:
    """One option of vLLM's parser. `flag` without dashes, as vLLM writes it."""

    flag: str
    kind: Kind


Options = Mapping[str, Option]
"""By the name with underscores, as in Python."""


def vllm_arguments(config: ServeConfig, device: Device, options: Options) -> list[str]:
    """Returns the server's arguments: ours, the model's, then the user's. Raises ConfigInvalid for unknown ones."""
    chosen = defaults(config, device) | known_keys(config.model_options, options) | known_keys(config.extra, options)
    arguments: list[str] = []
    for name, value in chosen.items():
        arguments += _rendered(options[name], value)
    return arguments


def defaults(config: ServeConfig, device: Device) -> dict[str, JsonValue]:
    """Returns the options set before the user's keys, in the order in which they are passed."""
    chosen: dict[str, JsonValue] = {
        "model": config.weights_path,
        "served_model_name": [config.served_model_name],
        "revision": config.revision,
        "tokenizer_revision": config.revision,
        "code_revision": config.revision,
        "host": "0.0.0.0",
        "port": config.port,
        "dtype": config.dtype,
        "max_model_len": "auto" if config.max_model_len is None else config.max_model_len,
        "tensor_parallel_size": config.tensor_parallel_size,
        "pipeline_parallel_size": config.pipeline_parallel_size,
        "data_parallel_size": config.data_parallel_size,
        "shutdown_timeout": config.drain_s,
        "disable_access_log_for_endpoints": "/health,/healthz,/metrics",
    }
    if config.trust_remote_code:
        chosen["trust_remote_code"] = True
    return chosen | _memory(config, device) | _adapters(config)


def known_keys(given: Mapping[str, JsonValue], options: Options) -> dict[str, JsonValue]:
    """Returns the given keys by vLLM's names. Raises ConfigInvalid naming the key and the closest known one.

    The planner has validated them against the options in the repository; this checks the installed server's options.
    """
    known = {option.flag: Argument(kind=option.kind.value, type="any") for option in options.values()}
    # Whether code of the repository may run was the planner's to decide.
    chosen, problems = vllm_options(given, known, remote_code_allowed=True)
    if problems:
        raise ConfigInvalid("; ".join(f"{path} {message}" for path, message in problems))
    return {option.replace("-", "_"): value for option, value in chosen.items()}


def _memory(config: ServeConfig, device: Device) -> dict[str, JsonValue]:
    if device == "cuda":
        return (
            {} if config.gpu_memory_utilization is None else {"gpu_memory_utilization": config.gpu_memory_utilization}
        )
    chosen: dict[str, JsonValue] = {"compilation_config": CPU_COMPILATION}
    if config.kv_cache_gib is not None:
        chosen["kv_cache_memory_bytes"] = round(config.kv_cache_gib * GIB)
    if config.tensor_parallel_size * config.pipeline_parallel_size * config.data_parallel_size == 1:
        # The engine computes in its own process: that saves a worker process, whose imports take 10 s.
        chosen["distributed_executor_backend"] = "uni"
    return chosen


def _adapters(config: ServeConfig) -> dict[str, JsonValue]:
    """Allows all adapters in one batch: with fewer, requests for one would wait for those for another, and adapters
    would be reloaded repeatedly."""
    if not config.adapters:
        return {}
    modules: list[JsonValue] = [json.dumps({"name": adapter.name, "path": adapter.path}) for adapter in config.adapters]
    chosen: dict[str, JsonValue] = {"enable_lora": True, "max_loras": len(modules), "lora_modules": modules}
    if ranks := [adapter.rank for adapter in config.adapters if adapter.rank]:
        chosen["max_lora_rank"] = served_rank(max(ranks))
    return chosen


def _rendered(option: Option, value: JsonValue) -> list[str]:
    if option.kind is Kind.SWITCH:
        return [f"--{option.flag}" if value else f"--no-{option.flag}"]
    if option.kind is Kind.FLAG:
        return [f"--{option.flag}"] if value else []
    if option.kind is Kind.LIST and isinstance(value, list):
        return [f"--{option.flag}", *(_text(item) for item in value)]
    # One argument, so that a value that begins with a dash is not parsed as an option.
    return [f"--{option.flag}={_text(value)}"]


def _text(value: JsonValue) -> str:
    if isinstance(value, str):
        return value
    return json.dumps(value, separators=(",", ":"))
