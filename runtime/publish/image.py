"""Builds an adapter's image: two layers, a configuration with operating system and history, a manifest.

The weights have a layer of their own, so that metadata can change without uploading them again. Reading files is left
to `layers.py`, uploading to `pushing.py`.
"""

import hashlib
import json
from dataclasses import dataclass
from typing import Any, Final

from api.pods.publish import PublishConfig
from api.pods.tune import ADAPTER_WEIGHTS
from runtime.pod.exit import Failure
from runtime.publish.adapter import Adapter
from runtime.publish.describing import annotations_of, model_card
from runtime.publish.failures import ADAPTER_INCOMPLETE
from runtime.publish.layers import Entry, FileChanged, entry_of_file, entry_of_text, layer_of
from runtime.registry.blobs import Blob, blob_of_bytes

CONFIG: Final = "application/vnd.oci.image.config.v1+json"
MANIFEST: Final = "application/vnd.oci.image.manifest.v1+json"
CARD: Final = "README.md"


@dataclass(frozen=True)
class AdapterImage:
    """The content to push; blobs in the order of pushing, the configuration last."""

    blobs: tuple[Blob, ...]
    manifest: bytes
    annotations: dict[str, str]

    @property
    def digest(self) -> str:
        return f"sha256:{hashlib.sha256(self.manifest).hexdigest()}"

    @property
    def size(self) -> int:
        """Bytes of all blobs."""
        return sum(blob.size for blob in self.blobs)


def image_of(adapter: Adapter, config: PublishConfig) -> AdapterImage:
    """Builds the image; reads every file. Raises Failure if one differs from what training wrote."""
    annotations = annotations_of(config, adapter.summary)
    card = entry_of_text(CARD, model_card(config, adapter.summary))
    try:
        weights = layer_of([_entry(adapter, ADAPTER_WEIGHTS)])
        others = layer_of([card, *(_entry(adapter, name) for name in adapter.files if name != ADAPTER_WEIGHTS)])
    except (OSError, FileChanged) as error:
        raise Failure(ADAPTER_INCOMPLETE, f"{adapter.folder} cannot be published: {error}") from error
    layers = (weights, others)
    described = blob_of_bytes(CONFIG, _json(image_config(config, annotations, layers)))
    return AdapterImage((*layers, described), _json(manifest_of(described, layers, annotations)), annotations)


def image_config(config: PublishConfig, annotations: dict[str, str], layers: tuple[Blob, ...]) -> dict[str, Any]:
    """Returns the image's configuration; runtimes require a platform, and the history must match the diff ids."""
    created = {"created": config.created} if config.created else {}
    history = [created | {"created_by": "modelyard", "comment": comment} for comment in ("weights", "configuration")]
    return {
        **created,
        "architecture": config.architecture,
        "os": "linux",
        "config": {"Labels": annotations},
        "rootfs": {"type": "layers", "diff_ids": [layer.digest for layer in layers]},
        "history": history,
    }


def manifest_of(config: Blob, layers: tuple[Blob, ...], annotations: dict[str, str]) -> dict[str, Any]:
    """Returns the manifest, whose digest is the image's."""
    return {
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "config": config.descriptor(),
        "layers": [layer.descriptor() for layer in layers],
        "annotations": annotations,
    }


def _entry(adapter: Adapter, name: str) -> Entry:
    return entry_of_file(name, adapter.folder / name, adapter.checksums.get(name))


def _json(value: dict[str, Any]) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
