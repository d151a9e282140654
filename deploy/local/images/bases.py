"""The images that ours are made on: those that the user named or our own, and how an image names its base.

`rootfs.py` makes the file systems of our own.
"""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from deploy.local.host.commands import output_of, run_logged
from deploy.local.images.buildah import SHORT_DEADLINE_S, BuildContext
from deploy.local.images.push import blob, manifest_of
from deploy.local.images.rootfs import FULL, SMALL, Rootfs, ensure_rootfs, given_base
from deploy.local.layout import Report

BASE_NAME: Final = "org.opencontainers.image.base.name"
BASE_DIGEST: Final = "org.opencontainers.image.base.digest"
"""Annotations that the OCI image specification defines (github.com/opencontainers/image-spec)."""


@dataclass(frozen=True)
class Base:
    """An image that ours are made on, by what buildah calls it, and its digest, empty if it was named without one."""

    reference: str
    digest: str = ""


@dataclass(frozen=True)
class Bases:
    """The two images that ours are made on: one that they are also built in, and the control plane's."""

    full: Base
    small: Base


def ensure_bases(context: BuildContext, *, small: bool, report: Report) -> Bases:
    """Returns the base that the user named, or our own, made if buildah does not have them. The small one only where it
    is wanted. Raises NoBase, CommandFailed."""
    given = given_base()
    if given:
        base = Base(given, given.partition("@")[2])
        return Bases(base, base)
    full = _own_base(context, FULL, report)
    return Bases(full, _own_base(context, SMALL, report) if small else full)


def _own_base(context: BuildContext, rootfs: Rootfs, report: Report) -> Base:
    name = f"localhost/modelyard/base:{rootfs.name}"
    found = _stored_digest(context, name)
    if found is None:
        _make_base(context, rootfs, name, report)
        found = _stored_digest(context, name)
    return Base(name, found or "")


def _stored_digest(context: BuildContext, name: str) -> str | None:
    """Returns the digest of an image in buildah's storage; None without it."""
    listed = json.loads(output_of(context.buildah("images", "--json"), deadline_s=SHORT_DEADLINE_S) or "[]")
    return next((str(image["digest"]) for image in listed if name in (image.get("names") or [])), None)


def _make_base(context: BuildContext, rootfs: Rootfs, name: str, report: Report) -> None:
    tar = ensure_rootfs(rootfs, context.folder / "base", context.log, report)
    container = output_of(context.buildah("from", "scratch"), deadline_s=SHORT_DEADLINE_S).strip()
    try:
        for step in (("add", "--quiet", container, str(tar), "/"), ("commit", "--quiet", container, name)):
            run_logged(context.buildah(*step), context.log, deadline_s=SHORT_DEADLINE_S)
    finally:
        run_logged(context.buildah("rm", container), context.log, deadline_s=SHORT_DEADLINE_S)


def name_base(layout: Path, base: Base) -> None:
    """Writes the base into the manifest of the image in an OCI layout. buildah names the stage below, whose digest is
    another one in each build. Raises PushFailed, OSError."""
    descriptor = manifest_of(layout)
    manifest = json.loads(blob(layout, descriptor["digest"]).read_bytes())
    blob(layout, descriptor["digest"]).unlink()
    noted = {BASE_NAME: base.reference.partition("@")[0]} | ({BASE_DIGEST: base.digest} if base.digest else {})
    content = json.dumps(manifest | {"annotations": noted}, separators=(",", ":")).encode()
    descriptor |= {"digest": f"sha256:{hashlib.sha256(content).hexdigest()}", "size": len(content)}
    blob(layout, descriptor["digest"]).write_bytes(content)
    index = json.loads((layout / "index.json").read_text())
    (layout / "index.json").write_text(json.dumps(index | {"manifests": [descriptor]}))
