"""Registries on free ports, and the program that publishes, as the process that a pod runs."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from api.pods.publish import PublishConfig
from api.pods.registries import RegistryAccess
from testing.adapters import write_adapter
from testing.deadlines import PATIENCE_S
from testing.oci.registry import OciRegistry, registries_below

REPOSITORY = "team/adapter"


@dataclass
class Publishing:
    """A process of `python -m runtime.publish`."""

    process: "subprocess.Popen[str]"
    config: PublishConfig

    def wait(self) -> tuple[int, dict[str, Any], str]:
        """Exit code, what was told at the end, and all output."""
        said, errors = self.process.communicate(timeout=PATIENCE_S)
        return self.process.returncode, json.loads(said.strip().splitlines()[-1]), said + errors


Start = Callable[..., Publishing]


@pytest.fixture
def registries(tmp_path: Path) -> Iterator[Callable[..., OciRegistry]]:
    with registries_below(tmp_path) as start:
        yield start


@pytest.fixture
def registry(registries: Callable[..., OciRegistry]) -> OciRegistry:
    return registries()


@pytest.fixture
def adapter(tmp_path: Path) -> Path:
    return write_adapter(tmp_path / "adapter")


@pytest.fixture
def publishing(tmp_path: Path) -> Iterator[Start]:
    started: list[subprocess.Popen[str]] = []

    def start(registry: OciRegistry, adapter: Path, password: str | None = None, **more: Any) -> Publishing:
        configs = {} if password is None else {"push-secret": str(registry.docker_config(password))}
        access = RegistryAccess(docker_configs=configs, plain_http=(registry.address,))
        given = {"image": f"{registry.address}/{REPOSITORY}:v1", "model_name": "tiny", "port": 0, **more}
        config = PublishConfig(folder=str(adapter), registry=access, **given)
        file = tmp_path / f"publish-{len(started)}.json"
        file.write_text(config.model_dump_json())
        argv = [sys.executable, "-m", "runtime.publish", "--config", str(file)]
        environment = os.environ | {"NO_PROXY": "*"}
        started.append(
            subprocess.Popen(argv, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        )
        return Publishing(started[-1], config)

    yield start
    for process in started:
        if process.poll() is None:
            process.kill()
            process.communicate()
