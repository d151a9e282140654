"""Adapters come out of images in a real registry: with the right Secret, one after the other, and once."""

import json
import signal
import subprocess
import sys
from collections.abc import Callable
from itertools import takewhile
from pathlib import Path
from typing import Any

import pytest

from api.pods.adapter_records import ADAPTER_READY, AdapterRecord
from api.pods.adapters import AdaptersConfig, AdapterSource
from api.pods.registries import RegistryAccess
from runtime.adapters.__main__ import STAYING, bring_all
from runtime.pod.exit import Failure
from testing.adapters import write_lora
from testing.deadlines import PATIENCE_S
from testing.oci.images import push, tar
from testing.oci.registry import PASSWORD, OciRegistry


def pushed(registry: OciRegistry, folder: Path, name: str, **more: Any) -> AdapterSource:
    """An image of KAITO's contract, with a file beside the two that matter."""
    made = write_lora(folder / name, {"l.q_proj": (4, 6)}, rank=8, **more)
    files = [(f"data/{file.name}", file.read_bytes()) for file in sorted(made.iterdir())]
    image = push(registry, tar(("README.md", b"no")), tar(*files, ("data/notes.txt", b"extra")), tag=name)
    return AdapterSource(name=name, image=image)


def a_config(registry: OciRegistry, folder: Path, *sources: AdapterSource, passwords: tuple[str, ...] = ()) -> Any:
    configs = {f"secret-{number}": str(registry.docker_config(word)) for number, word in enumerate(passwords)}
    access = RegistryAccess(plain_http=(registry.address,), docker_configs=configs)
    return AdaptersConfig(
        model="org/m", adapters=sources, folder=str(folder), registry=access, attempts=2, pause_s=0.01, stall_s=5
    )


def refused(config: AdaptersConfig) -> tuple[str, str]:
    with pytest.raises(Failure) as caught:
        bring_all(config)
    return caught.value.kind.reason, caught.value.message


def test_every_adapter_comes_and_only_once(registry: OciRegistry, tmp_path: Path) -> None:
    sources = [pushed(registry, tmp_path / "made", name) for name in ("facts", "tone")]
    config = a_config(registry, tmp_path / "adapters", *sources)
    bring_all(config)
    for name in ("facts", "tone"):
        folder = tmp_path / "adapters" / name
        record = AdapterRecord.model_validate_json((folder / ADAPTER_READY).read_bytes())
        assert (record.rank, record.origin[:7]) == (8, "sha256:")
        files = {file.name for file in folder.iterdir()}
        assert files == {"adapter_config.json", "adapter_model.safetensors", ADAPTER_READY}
        made = tmp_path / "made" / name / "adapter_model.safetensors"
        assert (folder / made.name).read_bytes() == made.read_bytes()
    assert {entry.name for entry in (tmp_path / "adapters").iterdir()} == {"facts", "tone"}
    asked = registry.asked()
    bring_all(config)
    assert registry.asked() == asked


def test_the_secrets_are_tried_and_named(registries: Callable[..., OciRegistry], tmp_path: Path) -> None:
    registry = registries(protected=True)
    source = pushed(registry, tmp_path / "made", "facts")
    bring_all(a_config(registry, tmp_path / "a", source, passwords=("wrong stapler", PASSWORD)))
    reason, message = refused(a_config(registry, tmp_path / "b", source, passwords=("wrong stapler",)))
    assert (reason, "secret-0" in message, "stapler" in message) == ("AdapterForbidden", True, False)
    assert refused(a_config(registry, tmp_path / "b", source))[0] == "AdapterForbidden"
    missing = a_config(registry, tmp_path / "b", source)
    access = missing.registry.model_copy(update={"docker_configs": {"gone": str(tmp_path / "gone.json")}})
    reason, message = refused(missing.model_copy(update={"registry": access}))
    assert reason == "AdapterForbidden" and "gone" in message


def test_what_is_wrong_has_a_reason_and_leaves_no_adapter(registry: OciRegistry, tmp_path: Path) -> None:
    images = {
        f"{registry.address}/team/nothing:v1": "AdapterNotFound",
        push(registry, tar(("other/a", b"x")), tag="elsewhere"): "AdapterInvalid",
        push(registry, tar(("data/adapter_config.json", b"{}")), tag="half"): "AdapterInvalid",
        push(registry, b"no archive", tag="broken"): "AdapterInvalid",
        pushed(registry, tmp_path / "made", "dora", use_dora=True).image: "AdapterNotServable",
    }
    for image, wanted in images.items():
        source = AdapterSource(name="one", image=image)
        reason, message = refused(a_config(registry, tmp_path / "adapters", source))
        assert (reason, "adapter one" in message) == (wanted, True), message
        assert not (tmp_path / "adapters" / "one").exists()
    registry.stop()
    source = AdapterSource(name="one", image=f"{registry.address}/team/data:v1")
    assert refused(a_config(registry, tmp_path / "adapters", source))[0] == "AdapterUnreachable"


def test_the_program_stays_and_leaves_when_asked(registry: OciRegistry, tmp_path: Path) -> None:
    config = a_config(registry, tmp_path / "adapters", pushed(registry, tmp_path / "made", "facts"))
    file = tmp_path / "adapters.json"
    file.write_text(config.model_dump_json())
    argv = [sys.executable, "-m", "runtime.adapters", "--config", str(file)]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        said = list(takewhile(lambda line: line != f"{STAYING}\n", process.stdout))
        assert (tmp_path / "adapters" / "facts" / ADAPTER_READY).exists() and process.poll() is None
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE_S) == 0
    assert any("adapter facts: rank 8, strength 1, sha256:" in line for line in said)


def test_the_program_ends_with_the_reason(registry: OciRegistry, tmp_path: Path) -> None:
    source = AdapterSource(name="one", image=f"{registry.address}/team/nothing:v1")
    file = tmp_path / "adapters.json"
    file.write_text(a_config(registry, tmp_path / "adapters", source).model_dump_json())
    argv = [sys.executable, "-m", "runtime.adapters", "--config", str(file)]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=PATIENCE_S)
    assert done.returncode == 111
    assert json.loads(done.stdout.splitlines()[-1])["reason"] == "AdapterNotFound"
