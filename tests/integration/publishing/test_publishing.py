"""An adapter becomes an image in a real registry: whole, the same each time, and with a reason when it cannot."""

import hashlib
import io
import subprocess
import tarfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from api.pods.publish import MODEL_NAME_ANNOTATION, RESULT_FILE, Published
from testing.adapters import write_adapter
from testing.deadlines import PATIENCE_S
from testing.oci.registry import PASSWORD, OciRegistry
from tests.integration.publishing.conftest import REPOSITORY, Start


def pulled(registry: OciRegistry, which: str = "v1") -> tuple[dict[str, bytes], dict[str, Any]]:
    """The files of the image by name, and its manifest; every digest is checked."""
    manifest = registry.get(f"{REPOSITORY}/manifests/{which}").json()
    files: dict[str, bytes] = {}
    for part in (manifest["config"], *manifest["layers"]):
        content = registry.get(f"{REPOSITORY}/blobs/{part['digest']}").content
        assert (f"sha256:{hashlib.sha256(content).hexdigest()}", len(content)) == (part["digest"], part["size"])
        if "tar" in part["mediaType"]:
            with tarfile.open(fileobj=io.BytesIO(content), mode="r:") as archive:
                regular = ((entry, archive.extractfile(entry)) for entry in archive if entry.isfile())
                files |= {entry.name: file.read() for entry, file in regular if file}
    return files, manifest


def test_what_is_pulled_back_is_what_was_trained(registry: OciRegistry, adapter: Path, publishing: Start) -> None:
    code, told, said = publishing(registry, adapter, created="2026-01-02T03:04:05Z").wait()
    assert code == 0, said
    files, manifest = pulled(registry)
    names = ("adapter_config.json", "adapter_model.safetensors", "tokenizer.json")
    assert {name: files[f"data/{name}"] for name in names} == {name: (adapter / name).read_bytes() for name in names}
    assert b"base_model: acme/tiny" in files["data/README.md"]
    assert "data/training_summary.json" not in files
    annotations = manifest["annotations"]
    assert isinstance(annotations, dict)
    assert annotations[MODEL_NAME_ANNOTATION] == "tiny"
    assert annotations["dev.modelyard.data-digest"] == f"sha256:{'d' * 64}"
    assert annotations["org.opencontainers.image.created"] == "2026-01-02T03:04:05Z"
    published = Published.model_validate_json((adapter / RESULT_FILE).read_bytes())
    assert published.digest == told["digest"]
    assert pulled(registry, published.digest) == (files, manifest)


def test_the_configuration_has_what_container_runtimes_want(
    registry: OciRegistry, adapter: Path, publishing: Start
) -> None:
    assert publishing(registry, adapter).wait()[0] == 0
    _, manifest = pulled(registry)
    config = registry.get(f"{REPOSITORY}/blobs/{manifest['config']['digest']}").json()
    assert (config["os"], config["architecture"]) == ("linux", "amd64")
    assert config["rootfs"]["diff_ids"] == [layer["digest"] for layer in manifest["layers"]]
    assert len(config["history"]) == len(config["rootfs"]["diff_ids"])
    assert "created" not in config


def test_the_same_adapter_again_is_the_same_image_and_sends_no_blob(
    registry: OciRegistry, adapter: Path, publishing: Start, tmp_path: Path
) -> None:
    first = publishing(registry, adapter).wait()[1]
    uploads = registry.asked()["PUT upload 201"]
    again = publishing(registry, write_adapter(tmp_path / "another place")).wait()[1]
    assert again["digest"] == first["digest"]
    assert (uploads, registry.asked()["PUT upload 201"]) == (3, 3)
    assert (first["uploaded"], again["uploaded"]) == (first["bytes"], 0)


def test_a_password_lets_it_in(registries: Callable[..., OciRegistry], adapter: Path, publishing: Start) -> None:
    registry = registries(protected=True)
    code, _, said = publishing(registry, adapter, PASSWORD).wait()
    assert code == 0, said
    assert pulled(registry)[0]["data/tokenizer.json"] == b'{"version": "1.0"}'


@pytest.mark.parametrize("password", ["wrong stapler", None])
def test_a_wrong_password_or_none_is_told_with_secret_registry_and_scope(
    registries: Callable[..., OciRegistry], adapter: Path, publishing: Start, password: str | None
) -> None:
    registry = registries(protected=True)
    code, told, said = publishing(registry, adapter, password).wait()
    assert (code, told["reason"]) == (71, "PushForbidden")
    words = ("push-secret" if password else "no Secret", registry.address, f"repository:{REPOSITORY}:pull,push")
    assert all(word in told["message"] for word in words)
    assert password is None or password not in said


def test_a_corrected_secret_is_enough(registries: Callable[..., OciRegistry], adapter: Path, publishing: Start) -> None:
    registry = registries(protected=True)
    assert publishing(registry, adapter, "wrong stapler").wait()[0] == 71
    assert publishing(registry, adapter, PASSWORD).wait()[0] == 0


def test_a_registry_lost_in_the_middle_and_back_gets_only_the_rest(
    registry: OciRegistry, tmp_path: Path, publishing: Start
) -> None:
    adapter = write_adapter(tmp_path / "large", size=150_000_000)
    running = publishing(registry, adapter)
    uploads = registry.folder / "blobs"
    wait_until(lambda: any(file.stat().st_size > 1_000_000 for file in uploads.rglob("data")), "bytes arrived")
    registry.stop()
    returns = threading.Timer(3, registry.start)
    returns.start()
    code, told, said = running.wait()
    returns.join()
    assert code == 0, said
    assert "trying again" in said
    assert registry.get(f"{REPOSITORY}/manifests/{told['digest']}").status_code == 200


def test_a_registry_that_stays_away_is_given_up(registry: OciRegistry, adapter: Path, publishing: Start) -> None:
    registry.stop()
    code, told, _ = publishing(registry, adapter, attempts=2).wait()
    assert (code, told["reason"]) == (72, "RegistryUnreachable")
    assert registry.address.split(":")[0] in told["message"]


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 8 MiB."""
    folder = tmp_path / "small disk"
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", str(folder)], check=True)
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_a_full_disk_of_the_registry_is_told_and_room_mends_it(
    registries: Callable[..., OciRegistry], small_disk: Path, tmp_path: Path, publishing: Start
) -> None:
    registry = registries(storage=small_disk)
    adapter = write_adapter(tmp_path / "medium", size=20_000_000)
    code, told, said = publishing(registry, adapter).wait()
    assert (code, told["reason"]) == (73, "RegistryFull"), said
    assert "no space left" in told["message"]
    subprocess.run(["mount", "-o", "remount,size=64m", str(small_disk)], check=True)
    assert publishing(registry, adapter).wait()[0] == 0
    registry.stop()


def test_what_training_did_not_write_is_not_published(registry: OciRegistry, adapter: Path, publishing: Start) -> None:
    weights = adapter / "adapter_model.safetensors"
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(content)
    code, told, _ = publishing(registry, adapter).wait()
    assert (code, told["reason"]) == (70, "AdapterIncomplete")
    assert registry.get(f"{REPOSITORY}/manifests/v1").status_code == 404


def wait_until(met: Callable[[], bool], what: str, deadline_s: float = PATIENCE_S) -> None:
    ends = time.monotonic() + deadline_s
    while time.monotonic() < ends:
        if met():
            return
        time.sleep(0.005)
    raise AssertionError(f"{what}: not within {deadline_s} s")
