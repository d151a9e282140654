"""Pushes the pod sandbox image to the local registry: one static program that sleeps.

The image is assembled here and pushed over the registry's HTTP API, which takes milliseconds and needs no build tool.
busybox must be linked statically (package busybox-static), because the image contains nothing else.
"""

import gzip
import hashlib
import io
import json
import platform
import tarfile
from pathlib import Path

from deploy.local.images.push import Registry
from deploy.local.layout import Layout
from deploy.local.nodes.config import PAUSE_IMAGE

BUSYBOX = Path("/bin/busybox")
APPLETS = ("sh", "sleep", "cat", "echo", "ls", "mkdir", "rm", "wget", "nc", "httpd", "ip", "ping", "hostname")
MANIFEST_TYPE = "application/vnd.oci.image.manifest.v1+json"
CONFIG_TYPE = "application/vnd.oci.image.config.v1+json"
LAYER_TYPE = "application/vnd.oci.image.layer.v1.tar+gzip"
ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}


class PauseImageFailed(RuntimeError):
    """The image cannot be built."""


def push_pause_image(layout: Layout, busybox: Path = BUSYBOX) -> str:
    """Pushes the image and returns its reference. Raises PauseImageFailed, PushFailed, OSError."""
    name, tag = PAUSE_IMAGE.split(":")
    layer = layer_archive(busybox)
    compressed = gzip.compress(layer, mtime=0)
    config = json.dumps(_config(hashlib.sha256(layer).hexdigest())).encode()
    manifest = {
        "schemaVersion": 2,
        "mediaType": MANIFEST_TYPE,
        "config": _descriptor(CONFIG_TYPE, config),
        "layers": [_descriptor(LAYER_TYPE, compressed)],
    }
    registry = Registry(layout.registry, name)
    for blob in (compressed, config):
        registry.put_blob(_digest(blob), blob)
    registry.put_manifest(tag, json.dumps(manifest).encode(), MANIFEST_TYPE)
    return f"{layout.registry}/{PAUSE_IMAGE}"


def layer_archive(busybox: Path) -> bytes:
    """Returns a tar with busybox and its applets as links. Raises PauseImageFailed without a static busybox."""
    if not busybox.exists() or b"ld-linux" in busybox.read_bytes()[:4096]:
        raise PauseImageFailed(f"{busybox} is missing or needs libraries: apt-get install busybox-static")
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for folder in ("bin", "tmp", "etc", "proc", "sys", "dev"):
            entry = tarfile.TarInfo(folder)
            entry.type, entry.mode = tarfile.DIRTYPE, 0o1777 if folder == "tmp" else 0o755
            archive.addfile(entry)
        program = tarfile.TarInfo("bin/busybox")
        program.size, program.mode = busybox.stat().st_size, 0o755
        with busybox.open("rb") as content:
            archive.addfile(program, content)
        for applet in APPLETS:
            link = tarfile.TarInfo(f"bin/{applet}")
            link.type, link.linkname = tarfile.SYMTYPE, "busybox"
            archive.addfile(link)
    return buffer.getvalue()


def _config(layer_digest: str) -> dict[str, object]:
    # "sleep infinity" as pid 1 would ignore SIGTERM; containerd ends sandboxes with SIGKILL, so nothing waits for it.
    return {
        "architecture": ARCHITECTURES.get(platform.machine(), platform.machine()),
        "os": "linux",
        "config": {"Cmd": ["/bin/sleep", "infinity"], "Env": ["PATH=/bin"]},
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{layer_digest}"]},
    }


def _descriptor(media_type: str, blob: bytes) -> dict[str, object]:
    return {"mediaType": media_type, "digest": _digest(blob), "size": len(blob)}


def _digest(blob: bytes) -> str:
    return f"sha256:{hashlib.sha256(blob).hexdigest()}"
