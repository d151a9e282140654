"""Reads manifests of images that strangers made: the layers, and which image of an index is used. Pure functions."""

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from runtime.data.archives import UnsafeArchive

LAYERS_MAX: Final = 500
PLATFORM: Final = ("linux", "amd64")
_DIGEST: Final = re.compile("sha256:[0-9a-f]{64}")


def layers_of(manifest: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Returns the layers, base first. Raises UnsafeArchive for an invalid manifest."""
    layers = manifest.get("layers")
    if not isinstance(layers, list) or not 0 < len(layers) <= LAYERS_MAX:
        raise UnsafeArchive("its manifest lists no layers")
    for layer in layers:
        if not _DIGEST.fullmatch(str(layer.get("digest"))):
            raise UnsafeArchive("a layer has no SHA-256 digest")
        if not isinstance(layer.get("size"), int) or layer["size"] < 0:
            raise UnsafeArchive("a layer has no size")
    return layers


def chosen(manifests: Sequence[Mapping[str, Any]]) -> str:
    """Returns the digest of the manifest to use: data is the same for all platforms, so any image manifest will do."""
    images = [entry for entry in manifests if entry.get("platform", {}).get("os") != "unknown"]
    ours = [entry for entry in images if _platform(entry) == PLATFORM]
    if not images:
        raise UnsafeArchive("its index lists no image")
    return str((ours or images)[0]["digest"])


def _platform(entry: Mapping[str, Any]) -> tuple[str, str]:
    platform = entry.get("platform", {})
    return str(platform.get("os")), str(platform.get("architecture"))
