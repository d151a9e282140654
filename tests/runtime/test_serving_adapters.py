"""vLLM serves the model and every adapter under a name of its own; an adapter for another model is refused by name."""

import re
from pathlib import Path

import pytest

from api.pods.adapters import AdapterSource
from api.pods.serve import AdapterMount
from runtime.serve.chat.open_routes import is_open
from testing.adapters import write_lora
from tests.runtime.conftest import Server, brought, start

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


def test_an_adapter_of_another_model_ends_the_start_with_its_name(smollm2: Path, tmp_path: Path) -> None:
    write_lora(tmp_path / "mnt" / "stray", {"model.layers.0.self_attn.q_proj": (2048, 2048)}, rank=8)
    mounts = brought(tmp_path, AdapterSource(name="stray"))
    server = start(tmp_path / "serve", smollm2, adapters=[mount.model_dump() for mount in mounts])
    Path(server.config.complete_marker).touch()
    assert server.process.wait(timeout=600) == 34
    last = server.log.read_text().strip().splitlines()[-1]
    assert '"reason": "AdapterNotServable"' in last
    assert "adapter stray" in last and "576 x 576 in the model" in last and "2048 x 2048" in last


def test_adapters_that_never_come_end_the_start(smollm2: Path, tmp_path: Path) -> None:
    missing = [AdapterMount(name="late", path=str(tmp_path / "late")).model_dump()]
    server = start(tmp_path / "serve", smollm2, weights_deadline_s=1, adapters=missing)
    assert server.process.wait(timeout=600) == 33
    assert "late; see the log of the container adapters" in server.log.read_text()
