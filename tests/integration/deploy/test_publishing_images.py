"""An OCI layout with its bill of materials, pushed to real registries: what arrives, and with which account."""

import hashlib
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from deploy.images.publish import INDEX, MANIFEST, publish
from deploy.local.images.sbom import SBOM, SBOM_TYPE, document
from runtime.registry.faults import RegistryFault
from testing.oci.registry import OciRegistry, registries_below

LAYER = b"a layer" * 100_000
Start = Callable[..., OciRegistry]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    with registries_below(tmp_path / "registries") as started:
        yield started


@pytest.fixture
def layout(tmp_path: Path) -> Path:
    """What a build leaves in the cache, with one layer."""
    folder = tmp_path / "layout"
    (folder / "blobs" / "sha256").mkdir(parents=True)

    def descriptor(kind: str, content: bytes) -> dict[str, Any]:
        digest = hashlib.sha256(content).hexdigest()
        (folder / "blobs" / "sha256" / digest).write_bytes(content)
        return {"mediaType": kind, "digest": f"sha256:{digest}", "size": len(content)}

    layer = descriptor("application/vnd.oci.image.layer.v1.tar+zstd", LAYER)
    config = descriptor("application/vnd.oci.image.config.v1+json", b'{"os": "linux"}')
    manifest = {"schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": [layer]}
    index = {"schemaVersion": 2, "manifests": [descriptor(MANIFEST, json.dumps(manifest).encode())]}
    (folder / "index.json").write_text(json.dumps(index))
    (folder / SBOM).write_text(json.dumps(document("modelyard/x", "t", [])))
    return folder


def ignore(words: str) -> None:
    """Nothing is reported here."""


def test_the_image_arrives_and_its_bill_refers_to_it(start: Start, layout: Path) -> None:
    registry = start()
    digest = publish(layout, f"{registry.address}/site/modelyard/x:1.0", plain_http=True, report=ignore)
    image = registry.get("site/modelyard/x/manifests/1.0")
    assert f"sha256:{hashlib.sha256(image.content).hexdigest()}" == digest
    assert registry.get(f"site/modelyard/x/blobs/{image.json()['layers'][0]['digest']}").content == LAYER

    # Debian's registry does not list referrers, so there is the tag of the specification.
    listed = bills(registry, digest)
    assert [one["artifactType"] for one in listed] == [SBOM_TYPE]
    bill = registry.get(f"site/modelyard/x/manifests/{listed[0]['digest']}").json()
    assert bill["subject"]["digest"] == digest
    content = registry.get(f"site/modelyard/x/blobs/{bill['layers'][0]['digest']}").content
    assert content == (layout / SBOM).read_bytes()


def test_a_second_push_sends_no_blob_and_lists_no_second_bill(start: Start, layout: Path) -> None:
    registry = start()
    reference = f"{registry.address}/site/modelyard/x:1.0"
    digest = publish(layout, reference, plain_http=True, report=ignore)
    sent = registry.asked()["PUT upload 201"]
    assert sent == 4  # layer, configuration, the bill and its own, empty, configuration
    assert publish(layout, reference, plain_http=True, report=ignore) == digest
    assert registry.asked()["PUT upload 201"] == sent
    assert len(bills(registry, digest)) == 1


def test_the_account_is_that_of_the_container_tools(
    start: Start, layout: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    registry = start(protected=True)
    reference = f"{registry.address}/x:1.0"
    monkeypatch.setenv("HOME", str(tmp_path / "nobody"))
    monkeypatch.delenv("DOCKER_CONFIG", raising=False)
    monkeypatch.setenv("REGISTRY_AUTH_FILE", str(registry.docker_config("wrong")))
    with pytest.raises(RegistryFault, match="401") as refused:
        publish(layout, reference, plain_http=True, report=ignore)
    assert "wrong" not in str(refused.value)
    monkeypatch.setenv("REGISTRY_AUTH_FILE", str(registry.docker_config()))
    assert publish(layout, reference, plain_http=True, report=ignore).startswith("sha256:")


def bills(registry: OciRegistry, digest: str) -> list[dict[str, Any]]:
    """What refers to an image, by the tag for registries that do not list referrers."""
    tag = digest.replace(":", "-")
    index = registry.get(f"site/modelyard/x/manifests/{tag}", accept=INDEX).json()
    found: list[dict[str, Any]] = index["manifests"]
    return found
