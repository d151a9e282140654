"""Images of the next two releases of the control plane: the one that is built, with a layer of other code on top.

Both have the workflow of `later.py`. As docs/decisions/014 wants it, the next release knows its patches and begins
none, and the one after begins them; so the two differ in a word of one table. Pushing is left to `deploy/local/images`.
"""

import gzip
import hashlib
import io
import json
import shutil
import tarfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from deploy.local.images.push import blob, manifest_of
from deploy.local.layout import REPOSITORY
from testing.releases import later

CODE: Final = "opt/modelyard/app"
"""Where the control plane's image has it."""
LAYER: Final = "application/vnd.oci.image.layer.v1.tar+gzip"


@dataclass(frozen=True)
class Release:
    """The tag of its image, which the chart makes the version of its workers; whether it begins with the patches."""

    tag: str
    begins: bool


NEXT: Final = Release("next", begins=False)
AFTER_NEXT: Final = Release("after-next", begins=True)


def changed_code(release: Release) -> dict[str, bytes]:
    """Returns the files in which a release differs from this checkout, by path in the image."""
    patches = (
        f"PATCHES = (*PATCHES, *(Patch(id, guards='more commands', until='never', begins={release.begins})"
        f" for id in {later.PATCHES!r}))"
    )
    registered = "from workflows.later import Later as WorkspaceWorkflow"
    return {
        "workflows/later.py": Path(later.__file__).read_bytes(),
        "workflows/patches.py": _with_line("workflows/patches.py", patches),
        "worker/cluster.py": _with_line("worker/cluster.py", registered),
    }


def write_image(built: Path, release: Release, folder: Path) -> Path:
    """Writes the image of a release as an OCI layout, from that of the built control plane; returns the folder."""
    shutil.copytree(built, folder)
    descriptor = manifest_of(folder)
    manifest = json.loads(blob(folder, descriptor["digest"]).read_bytes())
    config = json.loads(blob(folder, manifest["config"]["digest"]).read_bytes())
    files = {f"{CODE}/{path}": content for path, content in changed_code(release).items()}
    # The bytecode in the image is not compared with the sources, so it would be what runs. Names of layers that begin
    # so remove what lower layers have; without it Python compiles the sources at each start.
    unpacked = _tar(files | {f"{CODE}/{room}/.wh.__pycache__": b"" for room in ("workflows", "worker")})
    config["rootfs"]["diff_ids"].append(_digest(unpacked))
    config["history"].append({"created_by": f"release {release.tag}"})
    manifest["layers"].append(_written(folder, gzip.compress(unpacked, mtime=0), LAYER))
    manifest["config"] = _written(folder, json.dumps(config).encode(), manifest["config"]["mediaType"])
    named = descriptor | _written(folder, json.dumps(manifest).encode(), descriptor["mediaType"])
    index = json.loads((folder / "index.json").read_text())
    (folder / "index.json").write_text(json.dumps(index | {"manifests": [named]}))
    return folder


def _with_line(path: str, line: str) -> bytes:
    return (REPOSITORY / path).read_bytes() + f"\n{line}\n".encode()


def _tar(files: dict[str, bytes]) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        for path, content in files.items():
            entry = tarfile.TarInfo(path)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    return packed.getvalue()


def _written(layout: Path, content: bytes, media_type: str) -> dict[str, Any]:
    """Writes a blob; returns its descriptor."""
    digest = _digest(content)
    blob(layout, digest).write_bytes(content)
    return {"mediaType": media_type, "digest": digest, "size": len(content)}


def _digest(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"
