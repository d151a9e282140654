"""vLLM serves the model and every adapter under a name of its own; an adapter for another model is refused by name."""

import re
import uuid
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from activities.serving.adapter_effects import Continuation, continuation_of, question, without_effect
from api.pods.adapters import AdapterSource
from api.pods.serve import AdapterMount
from runtime.serve.chat.open_routes import is_open
from testing.adapters import write_lora
from tests.runtime.conftest import HIDDEN, LAYERS, Server, brought, refusals_of, start, write_config
from tests.runtime.tuning import make_model

pytestmark = pytest.mark.timeout(1200)
# The model goes on counting, 1.9 or more in log-probability ahead of any other word at each of these tokens.
CLOSED = {"/scale_elastic_ep", "/is_scaling_elastic_ep", "/kv_event_sources"}
"""vLLM's routes that are not served, or that nobody has classed in `runtime/serve/chat/open_routes.py` as open."""
NOT_ENABLED = (
    "/inference/",
    "/v1/chat/completions/",
    "/v1/completions/",
    "/v1/messages/render",
    "/v1/responses/render",
)
"""Of the parts of a server that is spread over several; vLLM answers 403 where that is not asked for."""
PROMPT, NEXT = "1, 2, 3, 4, 5, 6,", " 7, 8, 9,"


def answer(server: Server, model: str) -> str:
    response = server.post("/v1/completions", {"model": model, "prompt": PROMPT, "max_tokens": 12, "temperature": 0})
    assert response.is_success, response.text
    text: str = response.json()["choices"][0]["text"]
    return text


def test_each_adapter_is_a_model_and_the_base_keeps_its_name(server: Server) -> None:
    told = server.get("/v1/models").json()["data"]
    assert {model["id"] for model in told} == {"smollm2", "loud", "quiet", "wide"}


def test_an_adapter_changes_greedy_answers_as_strongly_as_asked_and_the_base_stays(server: Server) -> None:
    base = answer(server, "smollm2")
    assert base.startswith(NEXT)
    assert answer(server, "loud") != base
    assert answer(server, "wide") not in (base, answer(server, "loud"))
    assert answer(server, "quiet") == base
    assert answer(server, "smollm2") == base


def test_a_neighbour_neither_removes_nor_swaps_an_adapter(server: Server) -> None:
    loud = answer(server, "loud")
    for path, body in (
        ("/v1/unload_lora_adapter", {"lora_name": "loud"}),
        ("/v1/load_lora_adapter", {"lora_name": "loud", "lora_path": "/tmp", "load_inplace": True}),
        ("/adapters", {"name": "loud", "src": "/tmp"}),
        ("/scale_elastic_ep", {"new_data_parallel_size": 2}),
        ("/sleep", {}),
    ):
        assert server.post(path, body).status_code == 404, path
    assert "dynamic loading & unloading is enabled" not in server.log.read_text()
    assert answer(server, "loud") == loud


def test_each_route_of_vllm_is_known_and_those_that_change_the_server_are_not_there(server: Server) -> None:
    routes = set(re.findall(r"Route: (/\S*), ", server.log.read_text()))
    assert {"/v1/completions", "/health", "/metrics"} <= routes
    closed = {route for route in routes if not is_open(route)}
    assert {route for route in closed if not route.startswith(NOT_ENABLED)} == CLOSED
    for route in closed:
        assert server.post(route, {}).status_code == 404, route
        assert server.get(route).status_code == 404, route


def test_room_is_made_for_the_highest_rank(server: Server) -> None:
    assert "--max-lora-rank=32" in server.log.read_text()


def of_layers(prefix: str, layers: Iterable[int], size: int = HIDDEN) -> dict[str, tuple[int, int]]:
    return {f"{prefix}layers.{layer}.self_attn.q_proj": (size, size) for layer in layers}


UNFIT: dict[str, tuple[dict[str, tuple[int, int]], str]] = {
    "wider": (of_layers("model.", [0], size=2048), "576 x 576 in the model, and the adapter is for 2048 x 2048"),
    "headless": (of_layers("", range(LAYERS)), "the model has no layers.0.self_attn.q_proj (and 29 more of 30)"),
    "wrapped": (of_layers("model.language_model.", range(LAYERS)), "no model.language_model.layers.0.self_attn.q_proj"),
    "deeper": (of_layers("model.", range(LAYERS, 2 * LAYERS)), "the model has no model.layers.30.self_attn.q_proj"),
    "half": (of_layers("model.", range(2 * LAYERS)), "no model.layers.30.self_attn.q_proj (and 29 more of 60)"),
    "embedded": ({"model.embed_tokens": (259, 64)}, "vLLM serves no adapter of embed_tokens with this model's class"),
    "crowned": ({"lm_head": (259, 64)}, "vLLM serves no adapter of lm_head with this model's class"),
}
OF_QWEN2 = ("embedded", "crowned")
"""Adapters for a tiny model of Qwen2's class; the others are for SmolLM2, whose class takes adapters of embeddings."""


@pytest.fixture(scope="module")
def refused(smollm2: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    """What the server says to each of UNFIT, all in one process."""
    root = tmp_path_factory.mktemp("unfit")
    qwen2, files = make_model(root / "qwen2", "qwen2"), []
    for name, (modules, _) in UNFIT.items():
        write_lora(root / name / "mnt" / name, modules, rank=8)
        mounts = brought(root / name, AdapterSource(name=name))
        model = qwen2 if name in OF_QWEN2 else smollm2
        config = write_config(root / name / "serve", model, adapters=[mount.model_dump() for mount in mounts])
        Path(config.complete_marker).touch()
        files.append(root / name / "serve" / "serve.json")
    return dict(zip(UNFIT, refusals_of(files), strict=True))


@pytest.mark.parametrize("name", UNFIT)
def test_an_adapter_that_vllm_would_ignore_ends_the_start_with_its_name(
    refused: dict[str, dict[str, Any]], name: str
) -> None:
    assert refused[name]["code"] == 34
    last = refused[name]["last"]
    assert '"reason": "AdapterNotServable"' in last and f"adapter {name}" in last and UNFIT[name][1] in last


async def test_each_adapter_with_an_effect_shows_it_and_the_one_without_is_named(server: Server) -> None:
    async def ask(model: str) -> Continuation | None:
        return continuation_of(server.post("/v1/completions", question(model, uuid.uuid4().hex)).json())

    assert await without_effect(ask, "smollm2", ["loud", "quiet", "wide"]) == ["quiet"]


def test_adapters_that_never_come_end_the_start(smollm2: Path, tmp_path: Path) -> None:
    missing = [AdapterMount(name="late", path=str(tmp_path / "late")).model_dump()]
    server = start(tmp_path / "serve", smollm2, weights_deadline_s=1, adapters=missing)
    assert server.process.wait(timeout=600) == 33
    assert "late; see the log of the container adapters" in server.log.read_text()
