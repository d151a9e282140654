"""What an adapter's image holds and says, and which adapters are none."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from api.pods.publish import PublishConfig
from api.reasons import REASONS
from runtime.pod.exit import Failure
from runtime.publish import failures
from runtime.publish.adapter import read_adapter
from runtime.publish.image import AdapterImage, image_of
from testing.adapters import write_adapter


def an_image(folder: Path, **more: object) -> AdapterImage:
    config = PublishConfig.model_validate({"image": "registry.example/a:1", "model_name": "tiny", **more})
    return image_of(read_adapter(folder), config)


def test_every_reason_is_in_the_table_and_every_code_once() -> None:
    assert {kind.reason for kind in failures.KINDS} <= set(REASONS)
    codes = [kind.exit_code for kind in failures.KINDS]
    assert len(set(codes)) == len(codes)


def test_the_same_adapter_is_the_same_image(tmp_path: Path) -> None:
    first, second = (an_image(write_adapter(tmp_path / name)) for name in ("a", "b"))
    assert first.digest == second.digest
    assert an_image(write_adapter(tmp_path / "c", seed=2)).digest != first.digest


def test_only_what_describes_it_changes_with_the_annotations(tmp_path: Path) -> None:
    folder = write_adapter(tmp_path / "a")
    plain, noted = an_image(folder), an_image(folder, annotations={"team": "blue"}, created="2026-01-02T03:04:05Z")
    assert plain.blobs[0] == noted.blobs[0]
    assert plain.digest != noted.digest
    assert noted.annotations["team"] == "blue"


def test_annotations_name_model_data_settings_and_result(tmp_path: Path) -> None:
    said = an_image(write_adapter(tmp_path / "a")).annotations
    assert said["sh.kaito.model.name"] == "tiny"
    assert said["dev.modelyard.base-model"] == "acme/tiny"
    assert said["dev.modelyard.base-revision"] == "0" * 40
    assert said["dev.modelyard.config-digest"] == f"sha256:{'c' * 64}"
    assert (said["dev.modelyard.loss"], said["dev.modelyard.eval-loss"]) == ("0.25", "0.5")
    assert "dev.modelyard.eval-loss-base" not in said
    assert "org.opencontainers.image.created" not in said


def test_an_adapter_of_another_origin_is_published_too(tmp_path: Path) -> None:
    image = an_image(write_adapter(tmp_path / "a", summary=False))
    assert image.annotations == {"sh.kaito.model.name": "tiny"}


def truncate(folder: Path) -> None:
    with (folder / "adapter_model.safetensors").open("r+b") as stream:
        stream.truncate(1000)


def change(folder: Path) -> None:
    (folder / "adapter_config.json").write_text(json.dumps({"peft_type": "LORA", "r": 9}))


BROKEN: dict[str, tuple[Callable[[Path], object], str]] = {
    "no weights": (
        lambda folder: (folder / "adapter_model.safetensors").unlink(),
        "holds no adapter_model.safetensors",
    ),
    "no config": (lambda folder: (folder / "adapter_config.json").unlink(), "holds no adapter_config.json"),
    "cut off": (truncate, "has 1000 bytes, and its header describes"),
    "empty": (lambda folder: (folder / "adapter_model.safetensors").write_bytes(b""), "is not a safetensors file"),
    "no header": (lambda folder: (folder / "adapter_model.safetensors").write_bytes(b"\x05" + bytes(20)), "header"),
    "config is no JSON": (
        lambda folder: (folder / "adapter_config.json").write_text("{"),
        "not an adapter's configuration",
    ),
    "config is no adapter's": (lambda folder: (folder / "adapter_config.json").write_text("{}"), "it has no peft_type"),
    "changed": (change, "adapter_config.json is not what training wrote"),
    "summary": (
        lambda folder: (folder / "training_summary.json").write_text("{}"),
        "training_summary.json cannot be read",
    ),
}


@pytest.mark.parametrize(("spoil", "words"), BROKEN.values(), ids=BROKEN.keys())
def test_what_is_not_whole_is_not_published(tmp_path: Path, spoil: Callable[[Path], object], words: str) -> None:
    folder = write_adapter(tmp_path / "a")
    spoil(folder)
    with pytest.raises(Failure, match=words) as caught:
        an_image(folder)
    assert caught.value.kind is failures.ADAPTER_INCOMPLETE


def test_a_missing_folder_is_reported(tmp_path: Path) -> None:
    with pytest.raises(Failure, match="training has written nothing"):
        read_adapter(tmp_path / "nothing")
