"""A real model, served as a pod serves it: `python -m runtime.serve` of the runtime environment, one per session.

That one server has adapters, too, and is stopped by the last test that uses it: a start takes longer than most tests.

These tests run in the control plane's environment and drive the other one by processes, so that one pytest and one
configuration serve the whole repository. Without .venv-runtime they fail and say how to get it.
"""

import json
import os
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from api.pods.adapter_records import adapter_folder
from api.pods.adapters import AdaptersConfig, AdapterSource
from api.pods.serve import AdapterMount, ServeConfig
from deploy.local.images.runtime_env import ENVIRONMENT
from deploy.local.layout import Layout
from deploy.local.mirror.repositories.catalog import SMOLLM2, ensure_repos, repositories_folder
from runtime.adapters.__main__ import bring_all
from testing.adapters import write_lora
from testing.deadlines import PATIENCE_S
from testing.ports import free_port

ROOT = ENVIRONMENT.parent
PYTHON = ENVIRONMENT / "bin" / "python"
REVISION = "0123456789abcdef0123456789abcdef01234567"
# 25 s alone on 2 cores; 290 s were seen on a machine with six times as much to do as it has cores.
READY_S = 900.0
STOP_S = 60.0
LAYERS, HIDDEN, KEYS = 30, 576, 192
# Loud enough that random matrices are heard: 64 times the product, where training has twice.
ALPHA = 512
QUERIES_AND_VALUES = {
    f"model.layers.{layer}.self_attn.{module}": (outs, HIDDEN)
    for layer in range(LAYERS)
    for module, outs in (("q_proj", HIDDEN), ("v_proj", KEYS))
}


@dataclass
class Server:
    """A running server and how to ask it."""

    url: str
    config: ServeConfig
    log: Path
    process: "subprocess.Popen[bytes]"

    def post(self, path: str, body: Any) -> httpx.Response:
        return httpx.post(f"{self.url}{path}", json=body, timeout=120)

    def get(self, path: str) -> httpx.Response:
        return httpx.get(f"{self.url}{path}", timeout=PATIENCE_S)

    def wait_until_ready(self) -> None:
        ends = time.monotonic() + READY_S
        while time.monotonic() < ends:
            code = self.process.poll()
            assert code is None, f"the server ended with {code}:\n{self.log.read_text()[-3000:]}"
            try:
                if self.get("/health").is_success:
                    return
            except httpx.TransportError:
                time.sleep(0.3)
        raise AssertionError(f"not ready within {READY_S:g} s:\n{self.log.read_text()[-3000:]}")


@pytest.fixture(scope="session")
def smollm2() -> Path:
    """The folder of SmolLM2-135M-Instruct, built from its package when it is not there yet."""
    assert PYTHON.exists(), "there is no .venv-runtime: run `python -m deploy.local.images.runtime_env`"
    cache = Layout.of().cache
    ensure_repos(cache, print)
    return repositories_folder(cache) / "models" / SMOLLM2 / "main"


def write_config(folder: Path, model: Path, **fields: Any) -> ServeConfig:
    """`folder`/serve.json for a model whose files are links to those of `model`."""
    weights = folder / "weights" / REVISION
    weights.mkdir(parents=True)
    for file in model.iterdir():
        (weights / file.name).symlink_to(file)
    given = {"model": SMOLLM2, "revision": REVISION, "weights_path": str(weights), "served_model_name": "smollm2"}
    bounds = {"port": free_port(), "kv_cache_gib": 0.5, "weights_deadline_s": 60}
    config = ServeConfig.model_validate(given | bounds | fields)
    (folder / "serve.json").write_text(config.model_dump_json())
    return config


def refusals_of(files: Sequence[Path]) -> list[dict[str, Any]]:
    """What the server's program says to each serve.json, all of which it refuses: its exit code and its last line."""
    argv = [str(PYTHON), str(Path(__file__).with_name("refusing.py")), *map(str, files)]
    done = subprocess.run(
        argv, capture_output=True, text=True, timeout=900, check=False, env=os.environ | {"PYTHONPATH": str(ROOT)}
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return [json.loads(line) for line in done.stdout.splitlines() if line.startswith('{"code"')]


def start(folder: Path, model: Path, *, environment: Mapping[str, str] | None = None, **fields: Any) -> Server:
    """Starts a server; what it writes lies in `folder`."""
    config = write_config(folder, model, **fields)
    log = folder / "log"
    with log.open("wb") as stream:
        argv = [str(PYTHON), "-m", "runtime.serve", "--config", str(folder / "serve.json")]
        process = subprocess.Popen(
            argv, stdout=stream, stderr=stream, cwd=ROOT, env=os.environ | dict(environment or {})
        )
    return Server(f"http://127.0.0.1:{config.port}", config, log, process)


@pytest.fixture(scope="session")
def server(smollm2: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    root = tmp_path_factory.mktemp("serve")
    adapters = [mount.model_dump() for mount in bring_adapters(root)]
    running = start(root / "serve", smollm2, max_model_len=1024, drain_s=50, adapters=adapters)
    try:
        # The weights come after the server has started, as in a pod.
        time.sleep(1)
        Path(running.config.complete_marker).touch()
        running.wait_until_ready()
        yield running
    finally:
        running.process.terminate()
        running.process.wait(timeout=STOP_S)


def bring_adapters(root: Path) -> list[AdapterMount]:
    """`loud` and `quiet` are the same adapter at strengths 1 and 0; `wide` has a rank that vLLM does not know."""
    for name in ("loud", "quiet"):
        write_lora(root / "mnt" / name, QUERIES_AND_VALUES, rank=8, lora_alpha=ALPHA)
    write_lora(root / "mnt" / "wide", QUERIES_AND_VALUES, rank=20, lora_alpha=ALPHA, use_rslora=True)
    return brought(
        root, AdapterSource(name="loud"), AdapterSource(name="quiet", strength=0), AdapterSource(name="wide")
    )


def brought(root: Path, *sources: AdapterSource) -> list[AdapterMount]:
    """As the pod's other container brings them, from volumes."""
    folder = str(root / "adapters")
    bring_all(AdaptersConfig(model=SMOLLM2, adapters=sources, folder=folder, volumes=str(root / "mnt")))
    return [AdapterMount(name=source.name, path=adapter_folder(source.name, folder)) for source in sources]


@pytest.fixture(scope="session")
def reference(smollm2: Path) -> Any:
    """What transformers thinks of each served token: asks `greedy_reference.py`."""

    def ask(served: list[dict[str, Any]]) -> list[dict[str, list[float]]]:
        argv = [str(PYTHON), str(Path(__file__).parent / "greedy_reference.py"), str(smollm2)]
        told = json.dumps(served)
        done = subprocess.run(argv, input=told, capture_output=True, text=True, timeout=900, check=False)
        assert done.returncode == 0, done.stderr
        return list(json.loads(done.stdout.splitlines()[-1]))

    return ask
