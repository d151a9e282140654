"""Images of one static program and nothing else: no shell, no folders, no PATH, only an entrypoint that names it.

So Temporal publishes its own command line, `temporalio/temporal`.
"""

import hashlib
import io
import json
import platform
import tarfile
from pathlib import Path
from typing import Final

from deploy.local.images.pause import ARCHITECTURES, CONFIG_TYPE, MANIFEST_TYPE
from deploy.local.images.push import Registry

LAYER: Final = "application/vnd.oci.image.layer.v1.tar"


def push_program(registry: Registry, tag: str, program: Path) -> None:
    """Pushes an image whose entrypoint is the program, at the root and for everybody to run. Raises PushFailed,
    OSError."""
    layer = _layer(program)
    config = json.dumps(
        {
            "architecture": ARCHITECTURES.get(platform.machine(), platform.machine()),
            "os": "linux",
            "config": {"Entrypoint": [f"/{program.name}"], "User": "1000:1000"},
            "rootfs": {"type": "layers", "diff_ids": [_digest(layer)]},
        }
    ).encode()
    for content in (layer, config):
        registry.put_blob(_digest(content), content)
    manifest = {
        "schemaVersion": 2,
        "mediaType": MANIFEST_TYPE,
        "config": {"mediaType": CONFIG_TYPE, "digest": _digest(config), "size": len(config)},
        "layers": [{"mediaType": LAYER, "digest": _digest(layer), "size": len(layer)}],
    }
    registry.put_manifest(tag, json.dumps(manifest).encode(), MANIFEST_TYPE)


def _layer(program: Path) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as archive, program.open("rb") as content:
        entry = tarfile.TarInfo(program.name)
        entry.size, entry.mode = program.stat().st_size, 0o755
        archive.addfile(entry, content)
    return buffer.getvalue()


def _digest(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"
