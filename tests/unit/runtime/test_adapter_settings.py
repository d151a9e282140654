"""An adapter whose two files vLLM could not count with is refused by name before the server starts."""

import json
from pathlib import Path
from typing import Any

import pytest

from api.pods.adapters import AdapterSource
from runtime.adapters.__main__ import bring_all
from runtime.adapters.judging import rank_of
from runtime.pod.exit import Failure
from runtime.pod.safetensors import Tensor
from testing.adapters import write_lora
from tests.unit.runtime.test_bringing_adapters import CONFIG, TENSORS, on_volumes

DOWN, UP = TENSORS
ODD: tuple[Any, ...] = (
    True,
    0,
    -1,
    1.5,
    "16",
    [],
    [1],
    {"q_proj": None},
    {"q_proj": "x"},
    {"q_proj": True},
    float("nan"),
    float("inf"),
)
GOOD: dict[str, tuple[Any, ...]] = {
    "r": (),
    "lora_alpha": (-1, 1.5),
    "target_modules": ("16", []),
    "rank_pattern": (),
    "alpha_pattern": (),
    "use_rslora": (True,),
}


@pytest.mark.parametrize("key", GOOD)
@pytest.mark.parametrize("value", ODD, ids=repr)
def test_a_value_of_another_type_is_refused_by_its_key(tmp_path: Path, key: str, value: Any) -> None:
    origin = write_lora(tmp_path / "mnt" / "facts", {"l.q_proj": (4, 6)}, rank=8)
    file = origin / "adapter_config.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {key: value}))
    sources = on_volumes(tmp_path, AdapterSource(name="facts", strength=0.5))
    if value in GOOD[key]:
        bring_all(sources)
        return
    with pytest.raises(Failure, match=f"adapter facts .*{key}") as caught:
        bring_all(sources)
    assert caught.value.kind.reason in ("AdapterInvalid", "AdapterWithoutEffect")
    assert not (tmp_path / "adapters" / "facts").exists()


@pytest.mark.parametrize("key", ["rank_pattern", "alpha_pattern"])
def test_a_pattern_that_is_no_regular_expression_is_refused(key: str) -> None:
    with pytest.raises(Failure, match=rf"{key} .*regular expressions") as caught:
        rank_of(CONFIG | {key: {"(q_proj": 8}}, TENSORS)
    assert caught.value.kind.reason == "AdapterInvalid"
    assert rank_of(CONFIG | {key: {r"layers\.[0-3]\..*q_proj": 8}}, TENSORS) == 8


@pytest.mark.parametrize("alphas", [{}, {"alpha_pattern": {"q_proj": 0}}])
def test_an_adapter_that_is_weighed_with_nothing_has_no_effect(alphas: dict[str, Any]) -> None:
    with pytest.raises(Failure, match="adds nothing") as caught:
        rank_of(CONFIG | {"lora_alpha": 0} | alphas, TENSORS)
    assert caught.value.kind.reason == "AdapterWithoutEffect"
    assert rank_of(CONFIG | {"lora_alpha": 0, "alpha_pattern": {"q_proj": 16}}, TENSORS) == 8


@pytest.mark.parametrize(
    ("down", "up", "words"),
    [
        ((8, 4), (4, 6), "8 x 4 and 4 x 6, which cannot be multiplied"),
        ((8,), (8,), "matrices of 8 and 8"),
        ((), (), "matrices of one number"),
        ((8, 0), (4, 8), "8 x 0"),
        ((0, 4), (4, 0), "0 x 4"),
    ],
)
def test_matrices_that_are_no_pair_are_refused_by_their_module(
    down: tuple[int, ...], up: tuple[int, ...], words: str
) -> None:
    with pytest.raises(Failure, match=words) as caught:
        rank_of(CONFIG, {DOWN: Tensor("F32", down), UP: Tensor("F32", up)})
    assert caught.value.kind.reason == "AdapterInvalid" and str(caught.value).startswith("l.q_proj has")
