"""A running mirror over small made-up repositories, and a client that sets its rules."""

import json
import random
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
from huggingface_hub import HfApi

from testing.deadlines import PATIENCE_S
from testing.ports import free_port

PAGE_SIZE = 10


def safetensors(values: int, seed: int) -> bytes:
    """A safetensors file with one tensor of this many 16-bit values."""
    data = random.Random(seed).randbytes(values * 2)
    tensor = {"dtype": "BF16", "shape": [values // 8, 8], "data_offsets": [0, len(data)]}
    header = json.dumps({"__metadata__": {"format": "pt"}, "w": tensor}).encode()
    return len(header).to_bytes(8, "little") + header + data


FILES = {
    "models/acme/tiny/main/README.md": b"---\nlicense: mit\npipeline_tag: text-generation\ntags: [toy]\n---\nhello\n",
    "models/acme/tiny/main/config.json": b'{"model_type": "toy"}',
    "models/acme/tiny/main/model.safetensors": safetensors(200_000, seed=1),
    "models/acme/tiny/main/sub/deep/notes with space.txt": b"notes",
    "models/acme/tiny/older/config.json": b'{"model_type": "toy", "older": true}',
    "models/acme/big/main/model.bin": random.Random(2).randbytes(12_000_000),
    "datasets/acme/rows/main/data/train-00000-of-00001-abc.parquet": b"PAR1" + bytes(1000) + b"PAR1",
    **{f"models/acme/many/main/f{number:02}.txt": str(number).encode() for number in range(2 * PAGE_SIZE + 5)},
}


@dataclass
class RunningMirror:
    """The address of a mirror, its content by path, and how to command it."""

    url: str
    root: Path
    argv: list[str]
    process: subprocess.Popen[bytes]
    files: dict[str, bytes] = field(default_factory=lambda: FILES)
    page_size: int = PAGE_SIZE

    @property
    def api(self) -> HfApi:
        """The unmodified client, without a token: not even one that the machine's user has stored."""
        return HfApi(endpoint=self.url, token=False)

    def put(self, what: str, value: Any) -> None:
        httpx.put(f"{self.url}/_control/{what}", json=value, timeout=PATIENCE_S).raise_for_status()

    def requests(self, subject: str, method: str = "GET") -> list[dict[str, Any]]:
        answered = httpx.get(f"{self.url}/_control/requests", timeout=PATIENCE_S).raise_for_status().json()
        return [request for request in answered if (request["subject"], request["method"]) == (subject, method)]

    def reset(self) -> None:
        self.put("access", {})
        self.put("pace", {})
        self.put("faults", [])
        httpx.delete(f"{self.url}/_control/requests", timeout=PATIENCE_S).raise_for_status()

    def stop(self) -> None:
        self.process.terminate()
        assert self.process.wait(timeout=PATIENCE_S) in (0, -15)


Starter = Callable[..., RunningMirror]


@pytest.fixture(scope="session")
def repositories(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("mirror-repositories")
    for path, content in FILES.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(content)
    return root


@pytest.fixture(scope="session")
def start_mirror(repositories: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Starter]:
    """Starts mirrors with further arguments; those still running at the end are stopped."""
    started: list[RunningMirror] = []
    log = (tmp_path_factory.mktemp("mirror-log") / "log").open("wb")

    def start(*arguments: str, root: Path = repositories) -> RunningMirror:
        port = free_port()
        where = ["--root", str(root), "--host", "127.0.0.1", "--port", str(port), "--page-size", str(PAGE_SIZE)]
        argv = [sys.executable, "-m", "deploy.local.mirror", *where, *arguments]
        mirror = RunningMirror(f"http://127.0.0.1:{port}", root, argv, subprocess.Popen(argv, stdout=log, stderr=log))
        started.append(mirror)
        wait_until_ready(mirror)
        return mirror

    yield start
    for mirror in started:
        if mirror.process.poll() is None:
            mirror.stop()
    log.close()


def wait_until_ready(mirror: RunningMirror) -> None:
    ends = time.monotonic() + PATIENCE_S
    while time.monotonic() < ends:
        assert mirror.process.poll() is None, f"the mirror ended with {mirror.process.returncode}"
        try:
            httpx.get(f"{mirror.url}/healthz").raise_for_status()
            return
        except httpx.TransportError:
            time.sleep(0.05)
    raise AssertionError(f"the mirror was not ready within {PATIENCE_S:g} s")


@pytest.fixture(scope="session")
def shared_mirror(start_mirror: Starter) -> RunningMirror:
    return start_mirror()


@pytest.fixture
def mirror(shared_mirror: RunningMirror) -> RunningMirror:
    """A mirror without rules, faults or memory of requests."""
    shared_mirror.reset()
    return shared_mirror
