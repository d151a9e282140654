"""A training's data comes out of an image in a real registry: with the right Secret, and never unsafely."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from api.pods.data import MANIFEST_FILE, DataConfig, DataManifest
from api.pods.registries import RegistryAccess
from runtime.data.__main__ import prepare
from runtime.pod.exit import Failure
from runtime.registry.blobs import blob_of_bytes
from testing.oci.images import push, tar
from testing.oci.registry import PASSWORD, OciRegistry

ROWS = b'{"prompt": "a", "completion": "b"}\n' * 1000


def pulled(registry: OciRegistry, image: str, folder: Path, *passwords: str, **more: Any) -> DataManifest:
    configs = {f"secret-{number}": str(registry.docker_config(word)) for number, word in enumerate(passwords)}
    access = RegistryAccess(plain_http=(registry.address,), docker_configs=configs)
    config = DataConfig.model_validate(
        {"folder": str(folder), "image": image, "registry": access, "port": 0, "attempts": 2, "pause_s": 0.01, **more}
    )
    prepare(config)
    return DataManifest.model_validate_json((folder / MANIFEST_FILE).read_bytes())


def refused(*args: Any, **more: Any) -> tuple[str, str]:
    with pytest.raises(Failure) as caught:
        pulled(*args, **more)
    return caught.value.kind.reason, caught.value.message


def test_the_data_of_all_layers_comes(registry: OciRegistry, tmp_path: Path) -> None:
    image = push(registry, tar(("bin/sh", b"no"), ("data/a.jsonl", ROWS)), tar(("data/sub/b.jsonl", ROWS)))
    manifest = pulled(registry, image, tmp_path / "data")
    assert [file.name for file in manifest.files] == ["a.jsonl", "sub/b.jsonl"]
    assert manifest.rows == 2000
    assert manifest.files[0].source.startswith("sha256:")
    assert not (tmp_path / "data" / "bin").exists()


@pytest.mark.parametrize("whiteout", [".wh.data", "data/.wh.withdrawn.jsonl", "data/.wh..wh..opq", ".wh..wh..opq"])
def test_rows_that_a_later_layer_withdraws_are_not_trained_on(
    registry: OciRegistry, tmp_path: Path, whiteout: str
) -> None:
    withdrawn, kept = tar(("data/withdrawn.jsonl", ROWS)), tar(("data/new.jsonl", ROWS))
    image = push(registry, withdrawn, tar((whiteout, b"")), kept)
    manifest = pulled(registry, image, tmp_path / "data")
    assert [file.name for file in manifest.files] == ["new.jsonl"]
    assert (manifest.rows, (tmp_path / "data" / "withdrawn.jsonl").exists()) == (1000, False)


def test_a_digest_is_kept_to(registry: OciRegistry, tmp_path: Path) -> None:
    image = push(registry, tar(("data/a.jsonl", ROWS)))
    digest = pulled(registry, image, tmp_path / "one").files[0].source
    push(registry, tar(("data/b.jsonl", ROWS)))
    manifest = pulled(registry, image.replace(":v1", f"@{digest}"), tmp_path / "two")
    assert [file.name for file in manifest.files] == ["a.jsonl"]


def test_the_data_of_an_image_that_is_no_longer_given_is_gone(registry: OciRegistry, tmp_path: Path) -> None:
    image = push(registry, tar(("data/a.jsonl", ROWS)))
    first = pulled(registry, image, tmp_path / "data").files[0].source
    push(registry, tar(("data/b.jsonl", ROWS)))
    pulled(registry, image, tmp_path / "other")
    manifest = pulled(registry, image.replace(":v1", f"@{first}"), tmp_path / "other")
    assert [file.name for file in manifest.files] == ["a.jsonl"]


def test_a_file_that_oras_pushed_is_called_so(registry: OciRegistry, tmp_path: Path) -> None:
    image = push(registry, ROWS, titles=["rows.jsonl"])
    reason, message = refused(registry, image, tmp_path / "data")
    assert reason == "DataImageInvalid"
    assert "the layer 'rows.jsonl' is a file, as oras pushes it: build an image with that file below /data" in message


def test_a_layer_that_is_half_there_is_gone_on_with(registry: OciRegistry, tmp_path: Path) -> None:
    layer = tar(("data/a.jsonl", bytes(range(256)) * 5000), ("data/b.jsonl", ROWS))
    image = push(registry, layer)
    digest = blob_of_bytes("", layer).digest
    work = tmp_path / "data" / ".fetch"
    work.mkdir(parents=True)
    (work / digest.replace(":", "-")).write_bytes(layer[:1000])
    assert refused(registry, image, tmp_path / "data")[0] == "DataUnreadable"
    assert registry.asked()["GET blob 206"] == 1
    (work / digest.replace(":", "-")).write_bytes(b"damaged" + layer[7:])
    assert refused(registry, image, tmp_path / "data")[0] == "DataUnreadable"
    assert registry.asked()["GET blob 200"] == 1


def test_each_secret_is_tried(registries: Callable[..., OciRegistry], tmp_path: Path) -> None:
    registry = registries(protected=True)
    image = push(registry, tar(("data/a.jsonl", ROWS)))
    assert pulled(registry, image, tmp_path / "data", "wrong stapler", PASSWORD).rows == 1000
    reason, message = refused(registry, image, tmp_path / "other", "wrong stapler")
    assert (reason, "secret-0" in message, "stapler" in message) == ("DataForbidden", True, False)
    assert refused(registry, image, tmp_path / "other")[0] == "DataForbidden"


def test_what_is_wrong_with_an_image_has_a_reason(registry: OciRegistry, tmp_path: Path) -> None:
    images = {
        f"{registry.address}/team/nothing:v1": "DataNotFound",
        push(registry, tar(("other/a.jsonl", ROWS)), tag="elsewhere"): "DataImageInvalid",
        push(registry, tar(("data/../../a.jsonl", ROWS)), tag="out"): "DataImageInvalid",
        push(registry, b"no archive", tag="broken"): "DataImageInvalid",
        push(registry, tar(("data/a.csv", b"x,y\n1,2\n")), tag="columns"): "DataColumnsUnknown",
        push(registry, tar(("data/a.jsonl", bytes(10_000_000))), tag="bomb"): "DataTooLarge",
    }
    found = {image: refused(registry, image, tmp_path / "data", max_bytes=1_000_000)[0] for image in images}
    assert found == images
    assert not (tmp_path / "a.jsonl").exists()


def test_a_registry_that_is_away_is_told(registry: OciRegistry, tmp_path: Path) -> None:
    registry.stop()
    reason, message = refused(registry, f"{registry.address}/team/data:v1", tmp_path / "data")
    assert (reason, "127.0.0.1" in message) == ("DataUnreachable", True)


def test_a_volume_is_judged_where_it_is(tmp_path: Path) -> None:
    folder, elsewhere = tmp_path / "volume", tmp_path / "manifest.json"
    assert _volume(folder, elsewhere) == "DataNotFound"
    folder.mkdir()
    assert _volume(folder, elsewhere) == "DataEmpty"
    (folder / "a.jsonl").write_bytes(ROWS)
    assert _volume(folder, elsewhere) == "1000 rows"
    assert [file.name for file in folder.iterdir()] == ["a.jsonl"]


def _volume(folder: Path, manifest: Path) -> str:
    try:
        told = prepare(DataConfig(folder=str(folder), manifest=str(manifest), port=0))
    except Failure as failure:
        return failure.kind.reason
    return f"{told['rows']} rows"
