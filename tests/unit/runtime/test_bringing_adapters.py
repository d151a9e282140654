"""Adapters are brought whole, scaled and marked last; what cannot be served is refused with the adapter's name."""

import json
from pathlib import Path
from typing import Any

import pytest

from api.pods.adapter_records import ADAPTER_READY, AdapterRecord
from api.pods.adapters import AdaptersConfig, AdapterSource
from api.reasons import REASONS
from runtime.adapters import failures
from runtime.adapters.__main__ import bring_all
from runtime.adapters.judging import compatibility_warning, rank_of, scaled
from runtime.pod.exit import Failure
from runtime.pod.safetensors import Tensor
from runtime.serve import failures as serve_failures
from testing.adapters import write_lora

CONFIG: dict[str, Any] = {"peft_type": "LORA", "r": 8, "lora_alpha": 16, "target_modules": ["q_proj"]}
TENSORS = {
    "base_model.model.l.q_proj.lora_A.weight": Tensor("F32", (8, 4)),
    "base_model.model.l.q_proj.lora_B.weight": Tensor("F32", (4, 8)),
}


def on_volumes(root: Path, *sources: AdapterSource, **more: Any) -> AdaptersConfig:
    return AdaptersConfig.model_validate(
        {"model": "org/m", "adapters": sources, "folder": str(root / "adapters"), "volumes": str(root / "mnt")} | more
    )


def test_every_failure_has_its_reason_and_a_code_of_its_own() -> None:
    assert {kind.reason for kind in failures.KINDS} <= set(REASONS)
    codes = [kind.exit_code for kind in failures.KINDS]
    assert len(set(codes)) == len(codes)
    for failure in (serve_failures.AdapterUnfit, serve_failures.AdaptersMissing):
        assert failure.reason in REASONS
    for kind in failures.KINDS:
        assert (REASONS[kind.reason].failure == "fail") is not kind.worth_retrying


def test_a_volumes_adapter_is_copied_with_its_record_and_the_volume_is_left_alone(tmp_path: Path) -> None:
    origin = write_lora(tmp_path / "mnt" / "facts", {"l.q_proj": (4, 6)}, rank=8)
    before = sorted(file.name for file in origin.iterdir())
    bring_all(on_volumes(tmp_path, AdapterSource(name="facts", strength=0.5)))
    folder = tmp_path / "adapters" / "facts"
    record = AdapterRecord.model_validate_json((folder / ADAPTER_READY).read_bytes())
    assert (record.rank, record.strength, record.base_model) == (8, 0.5, "org/m")
    assert json.loads((folder / "adapter_config.json").read_text())["lora_alpha"] == 8
    assert json.loads((origin / "adapter_config.json").read_text())["lora_alpha"] == 16
    assert (folder / "adapter_model.safetensors").read_bytes() == (origin / "adapter_model.safetensors").read_bytes()
    assert sorted(file.name for file in origin.iterdir()) == before
    assert [file.name for file in (tmp_path / "adapters").iterdir()] == ["facts"]


@pytest.mark.parametrize("zeros", ["lora_A", "lora_B"])
def test_an_adapter_that_learned_nothing_is_not_brought(tmp_path: Path, zeros: str) -> None:
    modules = {"l.0.q_proj": (4, 6), "l.1.q_proj": (4, 6)}
    write_lora(tmp_path / "mnt" / "idle", modules, rank=4, zeros=[f"l.{layer}.q_proj.{zeros}" for layer in (0, 1)])
    with pytest.raises(Failure, match=r"adapter idle \(volume\): it learned nothing") as caught:
        bring_all(on_volumes(tmp_path, AdapterSource(name="idle")))
    assert caught.value.kind.reason == "AdapterWithoutEffect"


def test_an_adapter_that_learned_in_one_layer_is_brought(tmp_path: Path) -> None:
    modules = {"l.0.q_proj": (4, 6), "l.1.q_proj": (4, 6)}
    write_lora(tmp_path / "mnt" / "half", modules, rank=4, zeros=["l.0.q_proj.lora_B"])
    bring_all(on_volumes(tmp_path, AdapterSource(name="half")))
    assert (tmp_path / "adapters" / "half" / ADAPTER_READY).exists()


def test_a_second_start_brings_only_what_was_asked_otherwise(tmp_path: Path) -> None:
    for name in ("a", "b"):
        write_lora(tmp_path / "mnt" / name, {"l.q_proj": (4, 6)}, rank=4)
    bring_all(on_volumes(tmp_path, AdapterSource(name="a"), AdapterSource(name="b")))
    marker = tmp_path / "adapters" / "a" / ADAPTER_READY
    first, other = marker.stat().st_ino, (tmp_path / "adapters" / "b" / ADAPTER_READY).stat().st_ino
    bring_all(on_volumes(tmp_path, AdapterSource(name="a"), AdapterSource(name="b", strength=0.1)))
    assert marker.stat().st_ino == first
    assert (tmp_path / "adapters" / "b" / ADAPTER_READY).stat().st_ino != other


@pytest.mark.parametrize(
    ("change", "reason", "words"),
    [
        ({"peft_type": "IA3"}, "AdapterNotServable", "'IA3'"),
        ({"use_dora": True}, "AdapterNotServable", "DoRA"),
        ({"modules_to_save": ["embed_tokens"]}, "AdapterNotServable", "modules_to_save"),
        ({"r": 600}, "AdapterNotServable", "512"),
        ({"r": 0}, "AdapterInvalid", "1 or more"),
        ({"r": "8"}, "AdapterInvalid", "whole number"),
        ({"r": 3}, "AdapterInvalid", "has rank 8"),
        ({"lora_alpha": None}, "AdapterInvalid", "no lora_alpha"),
        ({"lora_alpha": "16"}, "AdapterInvalid", "must be a number"),
        ({"target_modules": None}, "AdapterInvalid", "no target_modules"),
    ],
)
def test_what_cannot_be_served_is_refused_by_its_configuration(change: dict[str, Any], reason: str, words: str) -> None:
    with pytest.raises(Failure, match=words) as caught:
        rank_of(CONFIG | change, TENSORS)
    assert caught.value.kind.reason == reason


@pytest.mark.parametrize(
    ("name", "reason", "words"),
    [
        ("base_model.model.lm_head.weight", "AdapterNotServable", "lm_head.weight is a layer or parameter that was"),
        ("base_model.model.model.embed_tokens.weight", "AdapterNotServable", "embed_tokens.weight is a layer"),
        ("base_model.model.model.norm.weight", "AdapterNotServable", "norm.weight is a layer"),
        ("base_model.model.l.q_proj.lora_magnitude_vector", "AdapterNotServable", "without use_dora"),
        ("base_model.model.l.q_proj.lora_magnitude_vector.weight", "AdapterNotServable", "without use_dora"),
        ("base_model.model.l.q_proj.lora_B.bias", "AdapterNotServable", "without lora_bias"),
        ("base_model.model.l.q_proj.bias", "AdapterNotServable", "bias none"),
        ("base_model.model.embed.trainable_tokens_delta", "AdapterNotServable", "trainable_token_indices"),
        ("base_model.model.l.q_proj.lora_A.default.weight", "AdapterNotServable", "save_pretrained"),
        ("base_model.model.l.k_proj.lora_A.weight", "AdapterInvalid", "and no base_model.model.l.k_proj.lora_B"),
        ("base_model.model.l.k_proj.lora_B.weight", "AdapterInvalid", "and no base_model.model.l.k_proj.lora_A"),
    ],
)
def test_a_tensor_that_vllm_does_not_serve_is_named_though_the_configuration_does_not_mention_it(
    name: str, reason: str, words: str
) -> None:
    with pytest.raises(Failure, match=words) as caught:
        rank_of(CONFIG, TENSORS | {name: Tensor("F32", (8, 4))})
    assert caught.value.kind.reason == reason


def test_the_models_own_embeddings_beside_an_adapter_are_no_obstacle() -> None:
    embeddings = {
        "base_model.model.model.embed_tokens.base_layer.weight": Tensor("BF16", (100, 4)),
        "base_model.model.model.embed_tokens.lora_embedding_A": Tensor("F32", (8, 100)),
        "base_model.model.model.embed_tokens.lora_embedding_B": Tensor("F32", (4, 8)),
    }
    assert rank_of(CONFIG, TENSORS | embeddings) == 8


def test_the_highest_rank_counts_and_lm_head_may_be_served() -> None:
    tensors = TENSORS | {
        "base_model.model.l.o_proj.lora_A.weight": Tensor("F32", (32, 4)),
        "base_model.model.l.o_proj.lora_B.weight": Tensor("F32", (4, 32)),
    }
    config = CONFIG | {"rank_pattern": {"o_proj": 32}, "target_modules": ["q_proj", "o_proj", "lm_head"]}
    assert rank_of(config, tensors) == 32


def test_strength_scales_every_alpha_and_nothing_else() -> None:
    config = CONFIG | {"alpha_pattern": {"o_proj": 32}}
    assert scaled(config, 0.25) == config | {"lora_alpha": 4, "alpha_pattern": {"o_proj": 8}}
    assert scaled(config, 1.0) == config
    assert scaled(CONFIG, 0.0)["lora_alpha"] == 0


def test_another_models_name_is_a_warning_and_a_path_is_not() -> None:
    assert "org/other" in compatibility_warning({"base_model_name_or_path": "org/other"}, "org/m")
    for base in ("Org/M", "/workspace/weights", "", None):
        assert compatibility_warning({"base_model_name_or_path": base}, "org/m") == ""


def test_what_is_missing_or_broken_is_named(tmp_path: Path) -> None:
    def refused(name: str) -> tuple[str, str]:
        with pytest.raises(Failure) as caught:
            bring_all(on_volumes(tmp_path, AdapterSource(name=name)))
        assert not (tmp_path / "adapters" / name).exists()
        return caught.value.kind.reason, caught.value.message

    assert refused("gone")[0] == "AdapterNotFound"
    (tmp_path / "mnt" / "empty").mkdir(parents=True)
    reason, message = refused("empty")
    assert reason == "AdapterInvalid" and "adapter empty" in message and "adapter_config.json" in message
    cut = write_lora(tmp_path / "mnt" / "cut", {"l.q_proj": (4, 6)}, rank=4) / "adapter_model.safetensors"
    cut.write_bytes(cut.read_bytes()[:-5])
    reason, message = refused("cut")
    assert reason == "AdapterInvalid" and "adapter_model.safetensors" in message
