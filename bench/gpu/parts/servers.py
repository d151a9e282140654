"""Starts `runtime.serve`, or `vllm serve` with the very same arguments, and asks for its health.

The arguments of both are made by `runtime.serve` from one configuration; ours prints them, and they are compared.
"""

import sys
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from typing import Any, Final

from api.configs.arguments import arguments_in
from api.pods.serve import AdapterMount, ServeConfig
from bench.gpu.machine.place import Place, cpus
from bench.gpu.machine.processes import Deadline, PartFailed, Program, Running, running
from bench.gpu.machine.weights import REVISION
from bench.gpu.parts.vllm_command import vllm
from bench.gpu.plan import serving_fit, serving_share
from bench.ports import free_port
from runtime.serve.arguments import Kind, Option, vllm_arguments
from runtime.serve.environment import PLUGIN, variables

NAME: Final = "measured"
"""The model's name for clients."""
DRAIN_S: Final = 5
HEALTH_S: Final = 5.0
PRINTED: Final = "vllm serve "


@dataclass(frozen=True)
class Server:
    """A server that answers, and the seconds until it did."""

    url: str
    running: Running
    start_s: float


def config_for(place: Place, folder: Path, adapters: Sequence[AdapterMount] = ()) -> ServeConfig:
    """What a pod for this model on this device is given; writes `folder`/weights with links. Raises DoesNotFit."""
    weights = folder / "weights" / REVISION
    weights.mkdir(parents=True)
    for file in place.weights.folder.iterdir():
        (weights / file.name).symlink_to(file.resolve())
    memory: dict[str, Any] = {"kv_cache_gib": place.size.kv_cache_gib, "max_model_len": place.size.context}
    if place.gpu:
        machine = place.gpu.machine
        context = serving_fit(place.weights.model, machine).context
        memory = {"gpu_memory_utilization": serving_share(machine), "max_model_len": context}
    config = ServeConfig(
        model=place.weights.repo,
        revision=REVISION,
        weights_path=str(weights),
        served_model_name=NAME,
        port=free_port(),
        dtype="auto" if place.gpu else place.size.dtype,
        adapters=list(adapters),
        drain_s=DRAIN_S,
        **memory,
    )
    Path(config.complete_marker).touch()
    return config


def arguments_of(config: ServeConfig, place: Place) -> list[str]:
    """Those of `vllm serve`."""
    options = {
        name.replace("-", "_"): Option(name, Kind(option.kind))
        for name, option in arguments_in("vllm_arguments.yaml").items()
    }
    return vllm_arguments(config, place.device, options)


@contextmanager
def ours(place: Place, config: ServeConfig, folder: Path, deadline: Deadline) -> Iterator[Server]:
    """`runtime.serve` until the end of the block. Raises PartFailed, also when it passes other arguments on."""
    file = folder / "serve.json"
    file.write_text(config.model_dump_json())
    argv = [sys.executable, "-m", "runtime.serve", "--config", str(file)]
    environment = {**place.environment, **place.caches(folder)}
    with _answering(Program(argv, folder / "log", environment), config, deadline) as server:
        wanted = PRINTED + " ".join(arguments_of(config, place))
        if not config.adapters and wanted not in server.running.program.log.read_text().splitlines():
            raise PartFailed(f"runtime.serve has other arguments than `{wanted}`{server.running.last_output()}")
        yield server


@contextmanager
def plain(place: Place, config: ServeConfig, folder: Path, deadline: Deadline) -> Iterator[Server]:
    """`vllm serve` until the end of the block. Raises PartFailed."""
    environment = dict(place.caches(folder))
    if place.device == "cpu":
        # Without these vLLM for CPUs takes every core of the machine, and refuses the executor in its own process.
        chosen = variables(config, "cpu", cpus(), {})
        environment = {name: value for name, value in chosen.items() if PLUGIN not in value} | environment
    program = vllm(["serve", *arguments_of(config, place)], place, folder / "log", environment)
    with _answering(program, config, deadline) as server:
        yield server


@contextmanager
def _answering(program: Program, config: ServeConfig, deadline: Deadline) -> Iterator[Server]:
    url = f"http://127.0.0.1:{config.port}"
    began = monotonic()
    with running(program) as started:
        started.wait_until(lambda: _is_healthy(url), "its server answers on /health", deadline)
        yield Server(url, started, monotonic() - began)


def _is_healthy(url: str) -> bool:
    try:
        with urllib.request.urlopen(f"{url}/health", timeout=HEALTH_S) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False
