"""docs/sizing.md on trainings says what the code says: the example, its arithmetic, the margins, the table of 24 GB."""

import re

import pytest
import yaml

from api.configs.training import default_training_config
from cli.plan_text import text_of
from presets.machines.machine import Machine
from presets.machines.skus import find_sku
from presets.models.catalog import find_model
from presets.plan.context import PlanContext
from presets.plan.document import PlanReport
from presets.plan.judge import plan_document
from presets.tuning import memory as parts
from presets.tuning.fit import DATA_GIB, training_memory
from presets.tuning.overrides import training_overrides
from tests.unit.presets.test_sizing_page import PAGE, reckoned, rows

SECTION = PAGE[PAGE.index("## A training") : PAGE.index("## Beside KAITO")]


def block(language: str) -> str:
    found = re.search(rf"```{language}\n(.*?)```", SECTION, re.DOTALL)
    assert found, f"no block of {language}"
    return found[1]


def example() -> PlanReport:
    return plan_document(yaml.safe_load(block("yaml")), PlanContext(config_maps={}))


def test_the_output_on_the_page_is_what_the_tool_prints() -> None:
    assert block("text").strip() == text_of(example()).strip()


@pytest.mark.parametrize("row", rows("part of a training"), ids=lambda row: row[0])
def test_the_arithmetic_on_the_page_is_the_codes(row: list[str]) -> None:
    name, text, result = row
    assert float(result) == pytest.approx(getattr(example().training_gib, name), abs=0.005)
    assert reckoned(text) == pytest.approx(float(result), abs=0.015)


def test_the_margins_on_the_page_are_the_codes() -> None:
    said = " ".join(SECTION.split())
    for words in (
        f"usable x {1 - parts.FRAGMENTS:g} >=",
        f"x {parts.WEIGHT_MARGIN:g} (4 with",
        f"x {parts.STATE_BYTES} bytes ({parts.STATE_BYTES + parts.REDUCTION_BYTES} where several",
        f"({parts.HIDDEN_PASSES} bytes for each hidden number, {parts.MLP_PASSES} for each intermediate one, "
        f"{parts.ATTENTION_PASSES} for each of queries, keys and values, {parts.ADAPTER_PASSES} for each that goes",
        f"at most {parts.HEAD_TOKENS} tokens and {parts.HEAD_WORDS} words x {parts.HEAD_BYTES} bytes",
        f"{parts.CONTEXT_GIB} GiB on one GPU, {parts.SHARED_CONTEXT_GIB} GiB where several train",
        f"there is room for {DATA_GIB} GiB of it",
    ):
        assert words in said, words


@pytest.mark.parametrize("row", rows("trained on an A10"), ids=lambda row: row[0])
def test_what_24_gb_are_enough_for_is_what_the_page_says(row: list[str]) -> None:
    model, *cells = row
    machine = Machine.of(find_sku("Standard_NV36ads_A10_v5"))
    for method, cell in zip(("lora", "qlora"), cells, strict=True):
        facts = find_model(model)
        memory = training_memory(facts, machine, training_overrides(default_training_config(method), method, facts))
        assert cell == f"{memory.needed:.1f}{'' if memory.fits else ', no'}"
