"""Runs a program of an image on this machine as a pod would: the image's user and environment, a read-only root.

`deploy.local.images.buildah` mounts the image. No container runtime and no limits: what a program needs of its file
system shows here, what it needs of a cluster does not.
"""

import json
import os
import signal
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from deploy.local.images.buildah import BuildContext, mounted_layout
from deploy.local.images.contents import Image
from deploy.local.images.images import build_image
from deploy.local.images.push import blob, manifest_of
from deploy.local.layout import Layout
from testing.deadlines import PATIENCE_S

# $0 is the image's root, $1 its user. The mounts are in a namespace of their own and end with the program.
IN_IMAGE = (
    'root="$0" && user="$1" && shift && mount --bind "$root" "$root" && mount -o remount,bind,ro "$root" '
    '&& mount -t proc proc "$root/proc" && mount --bind /dev "$root/dev" '
    '&& exec /usr/sbin/chroot --userspec="$user" "$root" "$@"'
)


@dataclass(frozen=True)
class OpenImage:
    """A built image: the OCI layout that would be pushed, its configuration, and its mounted file system."""

    layout: Path
    config: dict[str, Any]
    root: Path

    @property
    def size(self) -> int:
        """Bytes of all compressed layers."""
        manifest = json.loads(blob(self.layout, manifest_of(self.layout)["digest"]).read_bytes())
        return sum(layer["size"] for layer in manifest["layers"])

    def run(self, *argv: str, **settings: str) -> "subprocess.CompletedProcess[str]":
        """Runs a program to its end with these environment variables beside the image's own."""
        return subprocess.run(
            self._inside(argv),
            env=self._environment | settings,
            capture_output=True,
            text=True,
            timeout=PATIENCE_S,
            check=False,
        )

    @contextmanager
    def running(self, *argv: str, **settings: str) -> Iterator["subprocess.Popen[bytes]"]:
        """Runs a program, and kills it at the end."""
        process = subprocess.Popen(self._inside(argv), env=self._environment | settings, start_new_session=True)
        try:
            yield process
        finally:
            # All of its group: a program that has changed its user no longer ends with the one that has started it.
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()

    @property
    def _environment(self) -> dict[str, str]:
        return dict(line.split("=", 1) for line in self.config["Env"])

    def _inside(self, argv: Sequence[str]) -> list[str]:
        # What is left of a namespace ends with its first process.
        namespaces = ["unshare", "--mount", "--pid", "--fork", "--kill-child"]
        return [*namespaces, "sh", "-c", IN_IMAGE, str(self.root), self.config["User"], *argv]


@contextmanager
def opened(layout: Layout, image: Image) -> Iterator[OpenImage]:
    """Builds the image if it is not in the cache, and mounts it."""
    built = build_image(layout, image, print)
    manifest = json.loads(blob(built, manifest_of(built)["digest"]).read_bytes())
    config = json.loads(blob(built, manifest["config"]["digest"]).read_bytes())["config"]
    context = BuildContext(layout.cache, layout.logs / "images.log")
    with mounted_layout(context, built) as root:
        yield OpenImage(built, config, root)
