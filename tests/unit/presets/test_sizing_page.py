"""docs/sizing.md says what the code says: the example, its arithmetic, the margins, and the table beside KAITO."""

import ast
import operator
import re
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from cli.plan_text import text_of
from presets.plan.context import PlanContext
from presets.plan.document import PlanReport
from presets.plan.judge import plan_document
from presets.serving import memory as parts
from presets.serving.fit import COMFORTABLE_CONTEXT, DECENT_CONTEXT, GPU_MEMORY_UTILIZATION, LEAST_CONTEXT
from tests.unit.presets.test_must_beat import MUST_BEAT, Case

PAGE = (Path(__file__).parents[3] / "docs" / "sizing.md").read_text()
OPERATORS: dict[type[ast.operator], Callable[[float, float], float]] = {
    ast.Mult: operator.mul, ast.Div: operator.truediv, ast.Add: operator.add, ast.Sub: operator.sub,
}  # fmt: skip


def block(language: str) -> str:
    found = re.search(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)
    assert found, f"no block of {language}"
    return found[1]


def example() -> PlanReport:
    return plan_document(yaml.safe_load(block("yaml")), PlanContext(config_maps={}))


def rows(heading: str) -> list[list[str]]:
    """The cells of the table whose first heading is this."""
    lines = PAGE.splitlines()
    start = next(number for number, line in enumerate(lines) if line.startswith(f"| {heading} |"))
    cells = []
    for line in lines[start + 2 :]:
        if not line.startswith("|"):
            break
        cells.append([cell.strip() for cell in line.strip("|").split("|")])
    return cells


def reckoned(text: str) -> float:
    """The value of numbers joined by x / + -."""

    def value(node: ast.expr) -> float:
        if isinstance(node, ast.BinOp):
            return OPERATORS[type(node.op)](value(node.left), value(node.right))
        assert isinstance(node, ast.Constant) and isinstance(node.value, int | float)
        return float(node.value)

    return value(ast.parse(text.replace(" x ", " * "), mode="eval").body)


def test_the_output_on_the_page_is_what_the_tool_prints() -> None:
    assert block("text").strip() == text_of(example()).strip()


@pytest.mark.parametrize("row", rows("GiB on each GPU"), ids=lambda row: row[0])
def test_the_arithmetic_on_the_page_is_the_codes(row: list[str]) -> None:
    name, text, result = row
    memory = example().memory_per_gpu_gib
    assert memory is not None
    field = {"not given to vLLM": "not_given", "KV cache": "kv_cache", "CUDA graphs": "cuda_graphs"}.get(name, name)
    assert float(result) == pytest.approx(getattr(memory, field), abs=0.005)
    assert reckoned(text) == pytest.approx(float(result), abs=0.01)


def test_the_margins_on_the_page_are_the_codes() -> None:
    said = " ".join(PAGE.split())
    for words in (
        f"| {GPU_MEMORY_UTILIZATION:g}, or `gpu-memory-utilization`",
        f"x {parts.WEIGHT_PADDING:g} (mxfp4 {parts.QUANTIZED_PADDING['mxfp4']:g}, other quantizations "
        f"{parts.OTHER_QUANTIZED_PADDING:g})",
        f"{parts.OVERHEAD_GIB:g} GiB on a GPU alone, {parts.SHARED_OVERHEAD_GIB:g} GiB where",
        f"x {parts.FORWARD_BYTES} bytes ({parts.EXPERTS_FORWARD_BYTES} with experts)",
        f"x vocabulary x {parts.SAMPLING_BYTES} bytes + {parts.ENCODER_BYTES // 1000} kB",
        f"at least {parts.LEAST_ACTIVATIONS_GIB:g} GiB",
        f"| {parts.GRAPHS_GIB:g} GiB, and {parts.GRAPHS_PER_WEIGHT:.1%} of".replace("%", " %"),
        f"At least {LEAST_CONTEXT} tokens must fit",
        f"below {COMFORTABLE_CONTEXT} tokens",
        f"{DECENT_CONTEXT} tokens still fit",
    ):
        assert words in said, words


@pytest.mark.parametrize("row", rows("model"), ids=lambda row: " ".join(row[:4]))
def test_the_table_beside_kaito_is_the_tested_one(row: list[str]) -> None:
    model, machine, context, kv_dtype, kaito, ours = row

    def is_meant(case: Case) -> bool:
        return [case.model, case.sku, str(case.context or "default"), case.kv_dtype] == [
            model, machine, context, kv_dtype,
        ]  # fmt: skip

    assert [(case.kaito, case.ours) for case in MUST_BEAT if is_meant(case)] == [(int(kaito), int(ours))]
