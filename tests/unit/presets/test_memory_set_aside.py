"""Memory that inference_config.yaml sets aside by name has to be there: it is refused before the machine is bought."""

from typing import Any

import pytest

from api.configs.inference import INFERENCE_KEY
from presets.machines.machine import Machine
from presets.machines.skus import find_sku
from presets.plan.context import PlanContext
from presets.plan.judge import plan_document, problems_on_create
from tests.unit.presets.test_one_judge import A100, serving

TWO_GPUS = "Standard_NC48ads_A100_v4"


def config(text: str) -> dict[str, Any]:
    return {"c": {"data": {INFERENCE_KEY: f"vllm: {{{text}}}"}}}


def refused(text: str, machine: str = A100) -> list[str]:
    document = serving("phi-4-mini-instruct", machine)
    document["inference"]["config"] = "c"
    found = [problem.message for problem in problems_on_create(document, config_maps=config(text))]
    plan = plan_document(document, PlanContext(config_maps=config(text)))
    assert [error.message for error in plan.errors] == found
    return found


@pytest.mark.parametrize(
    "text",
    [
        "kv-cache-memory-bytes: 40G",
        "cpu-offload-gb: 200",
        "kv-offloading-size: 200",
        "cpu-offload-gb: 100, kv-offloading-size: 100",
    ],
)
def test_what_the_machine_has_may_be_set_aside(text: str) -> None:
    assert find_sku(A100).ram_gib == 220
    assert refused(text) == []


@pytest.mark.parametrize(
    ("text", "machine", "words"),
    [
        ("kv-cache-memory-bytes: 100G", A100, "kv-cache-memory-bytes asks for 100.0 GiB of each GPU"),
        ("cpu-offload-gb: 900", A100, "ask for 900 GiB of main memory, and Standard_NC24ads_A100_v4 has 220"),
        ("kv-offloading-size: 900", A100, "ask for 900 GiB of main memory"),
        ("cpu-offload-gb: 150, kv-offloading-size: 150", A100, "ask for 300 GiB of main memory"),
        ("cpu-offload-gb: 300, tensor-parallel-size: 2", TWO_GPUS, "ask for 600 GiB of main memory"),
    ],
)
def test_more_than_the_machine_has_is_refused_with_the_numbers(text: str, machine: str, words: str) -> None:
    [message] = refused(text, machine)
    assert words in message


def test_of_own_nodes_whose_memory_is_not_known_nothing_is_said() -> None:
    document = serving("phi-4-mini-instruct", "")
    document["metadata"]["annotations"] = {"modelyard.dev/node-provider": "byo"}
    document["inference"]["config"] = "c"
    unknown = Machine(name="a node", gpus=1, usable_gib=79, compute_capability=8.0)
    context = PlanContext(machine=unknown, config_maps=config("cpu-offload-gb: 900"))
    assert plan_document(document, context).errors == ()
