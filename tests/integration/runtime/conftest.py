"""A hub (the local mirror) with one small model, and fetchers that are stopped at the end."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from testing.deadlines import PATIENCE_S
from testing.oci.registry import OciRegistry, registries_below
from testing.ports import free_port
from tests.integration.runtime.fetch_processes import FILES, MODEL, Fetcher, Hub, answers, wait_for


@pytest.fixture(scope="session")
def running_hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hub]:
    root = tmp_path_factory.mktemp("hub")
    for name, content in FILES.items():
        file = root / "models" / MODEL / "main" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
    port = free_port()
    where = ["--root", str(root), "--host", "127.0.0.1", "--port", str(port)]
    with (root / "log").open("wb") as log:
        process = subprocess.Popen([sys.executable, "-m", "deploy.local.mirror", *where], stdout=log, stderr=log)
        hub = Hub(f"http://127.0.0.1:{port}")
        wait_for(lambda: answers(f"{hub.url}/healthz"), "the mirror was ready")
        yield hub
        process.terminate()
        process.wait(timeout=PATIENCE_S)


@pytest.fixture
def hub(running_hub: Hub) -> Hub:
    for rules, empty in (("access", {}), ("faults", [])):
        running_hub.put(rules, empty)
    # Asked for once, before any fault is set.
    assert len(running_hub.revision) == 40
    return running_hub


@pytest.fixture
def fetcher(hub: Hub, tmp_path: Path) -> Iterator[Callable[..., Fetcher]]:
    """Starts fetchers; those still running are stopped."""
    started: list[Fetcher] = []

    def start(*options: str, endpoint: str = hub.url, revision: str = "", token: str | None = None) -> Fetcher:
        started.append(Fetcher(endpoint, revision or hub.revision, tmp_path, *options, token=token))
        return started[-1]

    yield start
    for one in started:
        if one.process.poll() is None:
            one.process.terminate()
            one.process.communicate(timeout=PATIENCE_S)


@pytest.fixture
def registries(tmp_path: Path) -> Iterator[Callable[..., OciRegistry]]:
    with registries_below(tmp_path) as start:
        yield start


@pytest.fixture
def registry(registries: Callable[..., OciRegistry]) -> OciRegistry:
    return registries()
