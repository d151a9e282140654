"""Builds images of a few layers for tests and pushes them to the test's registry."""

import io
import json
import tarfile
from collections.abc import Sequence
from typing import Any

from api.oci.image_reference import ImageReference
from api.pods.registries import RegistryAccess
from runtime.registry.accounts import read_accounts
from runtime.registry.blobs import blob_of_bytes
from runtime.registry.client import repository
from testing.oci.registry import OciRegistry

MANIFEST = "application/vnd.oci.image.manifest.v1+json"


def tar(*entries: tuple[str, bytes]) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        for name, content in entries:
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return packed.getvalue()


def push(registry: OciRegistry, *layers: bytes, tag: str = "v1", titles: Sequence[str] = ()) -> str:
    """Pushes an image with these layers; returns its reference. `titles`: names of the layers, as oras gives them to
    files."""
    image = ImageReference.parse(f"{registry.address}/team/data:{tag}")
    access = RegistryAccess(plain_http=(registry.address,), docker_configs={"s": str(registry.docker_config())})
    (account,) = read_accounts(image, access.docker_configs)
    blobs = [blob_of_bytes("application/vnd.oci.image.layer.v1.tar+gzip", layer) for layer in layers]
    config = blob_of_bytes("application/vnd.oci.image.config.v1+json", b"{}")
    manifest: dict[str, Any] = {"schemaVersion": 2, "mediaType": MANIFEST, "config": config.descriptor()}
    manifest["layers"] = [blob.descriptor() for blob in blobs]
    for layer, title in zip(manifest["layers"], titles, strict=False):
        layer["annotations"] = {"org.opencontainers.image.title": title}
    with repository(image, access, account, "pull,push", 30) as opened:
        for blob in (*blobs, config):
            opened.upload(blob)
        opened.put_manifest(json.dumps(manifest).encode(), MANIFEST, tag)
    return str(image)
