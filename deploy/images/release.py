"""The images of an installation as a whole: builds them, says where each goes, and what a mirror needs.

A registry has one repository for each image; those that compute have a tag for each device. What an image is made of is
`deploy.local.images.contents`'; `publish.py` sends it.
"""

import json
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from deploy.local.images.bases import BASE_DIGEST, BASE_NAME
from deploy.local.images.buildah import BuildContext
from deploy.local.images.contents import Device, Image, images_for
from deploy.local.images.images import build_image, layout_of
from deploy.local.images.push import blob, manifest_of
from deploy.local.images.room import check_room
from deploy.local.images.rootfs import BASE_VARIABLE, given_base
from deploy.local.layout import REPOSITORY, Layout, Report
from deploy.local.stack.packages import BUILD_IMAGES, ensure_packages


class BaseNotPinned(ValueError):
    """The base image is named by a tag, which may be another image tomorrow; the message says what to set."""


@dataclass(frozen=True)
class Listed:
    """One image: its reference, and what is known once it is built (else empty, and 0)."""

    reference: str
    digest: str = ""
    compressed_bytes: int = 0
    base: str = ""

    def wire(self) -> dict[str, Any]:
        """Returns what `modelyard images list --json` prints."""
        return {
            "image": self.reference,
            "digest": self.digest,
            "compressedBytes": self.compressed_bytes,
            "base": self.base,
        }


def version() -> str:
    """Returns the version of the checkout."""
    found: str = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]["version"]
    return found


def reference_in(registry: str, image: Image, tag: str) -> str:
    """Returns REGISTRY/modelyard/TARGET:TAG, with the device after the tag of an image that computes."""
    return f"{registry}/{image.repository}:{tag}{f'-{image.device}' if image.torch else ''}"


def build_all(layout: Layout, device: Device, report: Report) -> Iterator[tuple[Image, Path]]:
    """Yields each image with its OCI layout as soon as it is built. Raises BaseNotPinned, CommandFailed, NoBase,
    NoRoom, PackagesMissing, TorchUnavailable, OSError."""
    check_base(given_base())
    if [image for image in images_for(device) if image.torch and layout_of(layout, image) is None]:
        check_room(BuildContext(layout.cache, layout.logs / "images.log"), device)
    ensure_packages(BUILD_IMAGES, layout.logs / "packages.log", report)
    for image in images_for(device):
        yield image, build_image(layout, image, report, together_with=device)


def check_base(base: str | None) -> None:
    """Raises BaseNotPinned if the base that the user named has no digest. Our own is pinned by Debian's signatures."""
    if base and "@sha256:" not in base:
        raise BaseNotPinned(f"{BASE_VARIABLE} names {base} without a digest: write it as {base}@sha256:...")


def listed(layout: Layout, device: Device, registry: str, tag: str) -> list[Listed]:
    """Returns every image that an installation pulls from `registry`, and the bases that they are built on."""
    return [_listed(layout_of(layout, image), reference_in(registry, image, tag)) for image in images_for(device)]


def _listed(built: Path | None, reference: str) -> Listed:
    if built is None:
        return Listed(reference)
    descriptor = manifest_of(built)
    manifest = json.loads(blob(built, descriptor["digest"]).read_bytes())
    notes = manifest.get("annotations", {})
    base = f"{notes[BASE_NAME]}@{notes[BASE_DIGEST]}" if BASE_DIGEST in notes else ""
    return Listed(reference, descriptor["digest"], sum(layer["size"] for layer in manifest["layers"]), base)
