"""vLLM serves the model and every adapter under a name of its own; an adapter for another model is refused by name."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from api.adapter_records import adapter_folder
from api.adapters import AdaptersConfig, AdapterSource
from api.serving import AdapterMount
from deploy.local.mirror.catalogue import SMOLLM2
from runtime.adapters.__main__ import bring_all
from tests.harness.adapters import write_lora
from tests.runtime.conftest import STOP_S, Server, start

pytestmark = pytest.mark.timeout(600)
LAYERS, HIDDEN, KEYS = 30, 576, 192
# Loud enough that random matrices are heard: 64 times the product, where training has twice.
ALPHA = 512
PROMPT = "The capital of France is"
QUERIES_AND_VALUES = {
    f"model.layers.{layer}.self_attn.{module}": (outs, HIDDEN)
    for layer in range(LAYERS)
    for module, outs in (("q_proj", HIDDEN), ("v_proj", KEYS))
}


def brought(root: Path, *sources: AdapterSource) -> list[AdapterMount]:
    """As the pod's other container brings them, from volumes."""
    folder = str(root / "adapters")
    bring_all(AdaptersConfig(model=SMOLLM2, adapters=sources, folder=folder, volumes=str(root / "mnt")))
    return [AdapterMount(name=source.name, path=adapter_folder(source.name, folder)) for source in sources]


@pytest.fixture(scope="module")
def with_adapters(smollm2: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """`loud` and `quiet` are the same adapter at strengths 1 and 0; `wide` has a rank that vLLM does not know."""
    root = tmp_path_factory.mktemp("adapters")
    for name in ("loud", "quiet"):
        write_lora(root / "mnt" / name, QUERIES_AND_VALUES, rank=8, lora_alpha=ALPHA)
    write_lora(root / "mnt" / "wide", QUERIES_AND_VALUES, rank=20, lora_alpha=ALPHA, use_rslora=True)
    mounts = brought(
        root, AdapterSource(name="loud"), AdapterSource(name="quiet", strength=0), AdapterSource(name="wide")
    )
    running = start(root / "serve", smollm2, max_model_len=512, adapters=[mount.model_dump() for mount in mounts])
    try:
        Path(running.config.complete_marker).touch()
        running.wait_until_ready()
        yield running
    finally:
        running.process.terminate()
        running.process.wait(timeout=STOP_S)


def answer(server: Server, model: str) -> str:
    response = server.post("/v1/completions", {"model": model, "prompt": PROMPT, "max_tokens": 12, "temperature": 0})
    assert response.is_success, response.text
    text: str = response.json()["choices"][0]["text"]
    return text


def test_each_adapter_is_a_model_and_the_base_keeps_its_name(with_adapters: Server) -> None:
    told = with_adapters.get("/v1/models").json()["data"]
    assert {model["id"] for model in told} == {"smollm2", "loud", "quiet", "wide"}


def test_an_adapter_changes_greedy_answers_as_strongly_as_asked_and_the_base_stays(with_adapters: Server) -> None:
    base = answer(with_adapters, "smollm2")
    assert "Paris" in base
    assert answer(with_adapters, "loud") != base
    assert answer(with_adapters, "wide") not in (base, answer(with_adapters, "loud"))
    assert answer(with_adapters, "quiet") == base
    assert answer(with_adapters, "smollm2") == base


def test_room_is_made_for_the_highest_rank(with_adapters: Server) -> None:
    assert "--max-lora-rank=32" in with_adapters.log.read_text()


def test_an_adapter_of_another_model_ends_the_start_with_its_name(smollm2: Path, tmp_path: Path) -> None:
    write_lora(tmp_path / "mnt" / "stray", {"model.layers.0.self_attn.q_proj": (2048, 2048)}, rank=8)
    mounts = brought(tmp_path, AdapterSource(name="stray"))
    server = start(tmp_path / "serve", smollm2, adapters=[mount.model_dump() for mount in mounts])
    Path(server.config.complete_marker).touch()
    assert server.process.wait(timeout=120) == 34
    last = server.log.read_text().strip().splitlines()[-1]
    assert '"reason": "AdapterNotServable"' in last
    assert "adapter stray" in last and "576 x 576 in the model" in last and "2048 x 2048" in last


def test_adapters_that_never_come_end_the_start(smollm2: Path, tmp_path: Path) -> None:
    missing = [AdapterMount(name="late", path=str(tmp_path / "late")).model_dump()]
    server = start(tmp_path / "serve", smollm2, weights_deadline_s=1, adapters=missing)
    assert server.process.wait(timeout=120) == 33
    assert "late; see the log of the container adapters" in server.log.read_text()
