"""A server that cannot start says why; one that is told to stop finishes what it has begun."""

import signal
import threading
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.runtime.conftest import STOP_S, Server, refusals_of, start, write_config

pytestmark = pytest.mark.timeout(1200)


REFUSED: dict[str, dict[str, Any]] = {
    "did you mean 'max-num-seqs'?": {"max-num-seq": 4},
    "vLLM refuses its arguments": {"max-num-seqs": "many"},
    "set by Modelyard": {"port": 80},
}


@pytest.fixture(scope="module")
def refusals(smollm2: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    """What the program answers to each of REFUSED, all in one process."""
    root = tmp_path_factory.mktemp("refused")
    files = []
    for number, extra in enumerate(REFUSED.values()):
        folder = root / str(number)
        write_config(folder, smollm2, extra=extra)
        files.append(folder / "serve.json")
    return dict(zip(REFUSED, refusals_of(files), strict=True))


@pytest.mark.parametrize("words", REFUSED)
def test_a_key_that_vllm_does_not_know_ends_the_start_with_its_name(
    refusals: dict[str, dict[str, Any]], words: str
) -> None:
    assert refusals[words]["code"] == 31
    assert '"reason": "ConfigInvalid"' in refusals[words]["last"]
    assert words in refusals[words]["last"]


def test_weights_that_never_come_end_the_start(smollm2: Path, tmp_path: Path) -> None:
    server = start(tmp_path, smollm2, weights_deadline_s=1)
    assert server.process.wait(timeout=600) == 32
    assert '"reason": "DownloadFailed"' in server.log.read_text()


def test_a_request_in_flight_is_answered_before_the_server_stops(server: Server) -> None:
    """Ends the server that the tests before have shared: this one has to stay their last."""
    answers: list[httpx.Response] = []
    body = {"model": "smollm2", "prompt": "Once upon a time", "max_tokens": 48, "ignore_eos": True}
    try:
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
