"""A server that cannot start says why; one that is told to stop finishes what it has begun."""

import signal
import threading
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.runtime.conftest import STOP_S, start

pytestmark = pytest.mark.timeout(600)


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"extra": {"max-num-seq": 4}}, "did you mean 'max-num-seqs'?"),
        ({"extra": {"max-num-seqs": "many"}}, "vLLM refuses its arguments"),
        ({"extra": {"port": 80}}, "set by Modelyard"),
    ],
)
def test_a_key_that_vllm_does_not_know_ends_the_start_with_its_name(
    smollm2: Path, tmp_path: Path, fields: Any, words: str
) -> None:
    server = start(tmp_path, smollm2, **fields)
    assert server.process.wait(timeout=120) == 31
    last = server.log.read_text().strip().splitlines()[-1]
    assert '"reason": "ConfigInvalid"' in last
    assert words in last


def test_weights_that_never_come_end_the_start(smollm2: Path, tmp_path: Path) -> None:
    server = start(tmp_path, smollm2, weights_deadline_s=1)
    assert server.process.wait(timeout=120) == 32
    assert '"reason": "DownloadFailed"' in server.log.read_text()


def test_a_request_in_flight_is_answered_before_the_server_stops(smollm2: Path, tmp_path: Path) -> None:
    server = start(tmp_path, smollm2, drain_s=50)
    Path(server.config.complete_marker).touch()
    answers: list[httpx.Response] = []
    body = {"model": "smollm2", "prompt": "Once upon a time", "max_tokens": 48, "ignore_eos": True}
    try:
        server.wait_until_ready()
        asking = threading.Thread(target=lambda: answers.append(server.post("/v1/completions", body)))
        asking.start()
        while "vllm:num_requests_running{" not in server.get("/metrics").text or not _running(server):
            assert asking.is_alive(), "the answer came before the server could be stopped"
        server.process.send_signal(signal.SIGTERM)
        asking.join(timeout=STOP_S)
    finally:
        server.process.terminate()
        assert server.process.wait(timeout=STOP_S) == 0
    assert answers[0].json()["usage"]["completion_tokens"] == 48


def _running(server: Any) -> bool:
    lines = server.get("/metrics").text.splitlines()
    return any(line.startswith("vllm:num_requests_running{") and not line.endswith(" 0.0") for line in lines)
