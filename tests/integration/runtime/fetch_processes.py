"""A hub (the local mirror) with one small model, and the fetcher as the process that a pod runs."""

import hashlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import httpx
from huggingface_hub import HfApi

from testing.deadlines import PATIENCE_S
from testing.ports import free_port

MODEL = "acme/tiny"
WEIGHTS = hashlib.shake_256(b"weights").digest(3_000_000)
HEADER = json.dumps({"w": {"dtype": "U8", "shape": [len(WEIGHTS)], "data_offsets": [0, len(WEIGHTS)]}}).encode()
FILES = {
    "config.json": b'{"model_type": "toy"}',
    "README.md": b"hello",
    "model.safetensors": len(HEADER).to_bytes(8, "little") + HEADER + WEIGHTS,
    "pytorch_model.bin": bytes(1000),
    "original/params.json": b"{}",
}


def wait_for(answered: Callable[[], bool], what: str) -> None:
    ends = time.monotonic() + PATIENCE_S
    while time.monotonic() < ends:
        if answered():
            return
        time.sleep(0.05)
    raise AssertionError(f"{what} not within {PATIENCE_S:g} s")


def answers(url: str) -> bool:
    try:
        return httpx.get(url).is_success
    except httpx.TransportError:
        return False


@dataclass
class Hub:
    """The mirror's address, and how to set its rules."""

    url: str

    @cached_property
    def revision(self) -> str:
        return str(HfApi(endpoint=self.url, token=False).model_info(MODEL).sha)

    def put(self, what: str, value: Any) -> None:
        httpx.put(f"{self.url}/_control/{what}", json=value, timeout=PATIENCE_S).raise_for_status()


class Fetcher:
    """`python -m runtime.fetch` with its own port and folder."""

    def __init__(self, hub: str, revision: str, folder: Path, *options: str, token: str | None = None) -> None:
        self.folder = folder / revision
        self.url = f"http://127.0.0.1:{(port := free_port())}"
        argv = [sys.executable, "-m", "runtime.fetch", "--model", MODEL, "--revision", revision, "--to", str(folder)]
        plain = {name: value for name, value in os.environ.items() if name not in ("HF_TOKEN", "HF_ENDPOINT")}
        # Not even a token that the user of this machine has stored.
        environment = plain | {"HF_ENDPOINT": hub, "HF_HOME": str(folder / "home")}
        if token is not None:
            (file := folder / "token").write_text(token)
            environment["HF_TOKEN_PATH"] = str(file)
        self.process = subprocess.Popen(
            [*argv, "--port", str(port), *options], env=environment, stdout=subprocess.PIPE, text=True
        )

    def wait(self) -> tuple[int, str]:
        """Exit code and output."""
        said, _ = self.process.communicate(timeout=PATIENCE_S)
        return self.process.returncode, said

    def state(self) -> dict[str, Any]:
        return dict(httpx.get(f"{self.url}/healthz", timeout=PATIENCE_S).raise_for_status().json())

    def metric(self, name: str) -> float:
        lines = httpx.get(f"{self.url}/metrics", timeout=PATIENCE_S).raise_for_status().text.splitlines()
        return float(next(line.split()[1] for line in lines if line.startswith(f"{name} ")))

    def wait_until_complete(self) -> None:
        wait_for((self.folder / ".complete").exists, "the weights were complete")
        wait_for(lambda: self.state()["phase"] == "complete", "the fetcher said so")
