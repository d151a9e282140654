"""With the engine as a process of its own, as on GPUs, the server's message is what the engine died of."""

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.runtime.conftest import READY_S, Server, start

pytestmark = pytest.mark.timeout(1200)
TWO_PROCESSES = {"VLLM_ENABLE_V1_MULTIPROCESSING": "1"}
ENGINE = "EngineCore"


def last_line(server: Server) -> str:
    return server.log.read_text().strip().splitlines()[-1]


def halved(weights: Path) -> None:
    file = weights / "model.safetensors"
    whole = file.resolve().read_bytes()
    file.unlink()
    file.write_bytes(whole[: len(whole) // 2])


@pytest.mark.parametrize(
    ("fields", "breaking", "code", "reason", "words"),
    [
        ({"kv_cache_gib": 0.02, "max_model_len": 8192}, None, 36, "DoesNotFit", "0.18 GiB KV cache is needed"),
        ({"extra": {"max-model-len": 100000}}, None, 31, "ConfigInvalid", "max_model_len (100000) is greater than"),
        ({"extra": {"chat-template": "/weights/none.jinja"}}, None, 31, "ConfigInvalid", "none.jinja"),
        ({}, halved, 1, "", "Error while deserializing header"),
    ],
    ids=[
        "no room for the context",
        "a context over the model's",
        "a template that is not there",
        "half of the weights",
    ],
)
def test_the_message_has_the_cause(
    fields: dict[str, Any],
    breaking: Callable[[Path], None] | None,
    code: int,
    reason: str,
    words: str,
    smollm2: Path,
    tmp_path: Path,
) -> None:
    server = start(tmp_path, smollm2, environment=TWO_PROCESSES, **fields)
    if breaking:
        breaking(Path(server.config.weights_path))
    Path(server.config.complete_marker).touch()
    assert server.process.wait(timeout=READY_S) == code
    told = json.loads(last_line(server)) if reason else {"reason": "", "message": last_line(server)}
    assert told["reason"] == reason and words in told["message"]
    assert "root cause" not in told["message"]


def test_an_engine_that_is_killed_is_said_to_be(smollm2: Path, tmp_path: Path) -> None:
    server = start(tmp_path, smollm2, environment=TWO_PROCESSES)
    Path(server.config.complete_marker).touch()
    engine_of(server).kill()
    assert server.process.wait(timeout=READY_S) != 0
    # vLLM may see that it has ended before it sees how.
    assert last_line(server).startswith(
        ("a process of the engine was ended by signal 9", "a process of the engine ended without a word")
    )


def engine_of(server: Server) -> psutil.Process:
    """The engine's process, as soon as it has said something: by its number in the log."""
    ends = time.monotonic() + READY_S
    while time.monotonic() < ends:
        assert server.process.poll() is None, last_line(server)
        for line in server.log.read_text().splitlines():
            if line.startswith(f"({ENGINE} pid="):
                return psutil.Process(int(line.partition("pid=")[2].partition(")")[0]))
        time.sleep(0.2)
    raise AssertionError("the engine has said nothing")
