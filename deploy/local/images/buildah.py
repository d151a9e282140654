"""buildah without a container engine: its command line with a storage of our own, and an image's file system.

What is built with it is `build.py`'s, what on, `bases.py`'s.
"""

import hashlib
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

from deploy.local.host.commands import output_of, run_logged

SHORT_DEADLINE_S = 600.0


@dataclass(frozen=True)
class BuildContext:
    """Where images are built: buildah's own storage, separate from the user's, and the finished layouts."""

    cache: Path
    log: Path

    @property
    def folder(self) -> Path:
        return self.cache / "images"

    @property
    def run_folder(self) -> Path:
        """Of what buildah knows of its mounts, which two storages must not share."""
        storage = hashlib.sha256(str(self.storage).encode()).hexdigest()[:8]
        return Path(f"/run/modelyard/images-{storage}")

    @property
    def storage(self) -> Path:
        """Of layers and bases."""
        return self.folder / "storage"

    def buildah(self, *arguments: str) -> list[str]:
        """Returns its command line."""
        # Nodes and servers may be running beside the build, so they go first; but with nice 10 two busy processes of
        # somebody else leave a build one tenth of the processors.
        storage = ["--root", str(self.storage), "--runroot", str(self.run_folder)]
        # Without the option buildah leaves a mount behind on its storage.
        driver = ["--storage-driver", "overlay", "--storage-opt", "overlay.skip_mount_home=true"]
        return ["nice", "-n", "5", "buildah", *storage, *driver, *arguments]

    def layout_of(self, name: str, tag: str) -> Path:
        return self.folder / "layouts" / f"{name}-{tag}"


@contextmanager
def mounted(context: BuildContext, reference: str, *, folder: Path | None = None) -> Iterator[Path]:
    """Yields the root of an image's file system; writes to it are thrown away. A `reference` that is a path is relative
    to `folder`. Raises CommandFailed."""
    argv = context.buildah("from", "--pull-never", reference)
    container = output_of(argv, deadline_s=SHORT_DEADLINE_S, folder=folder).strip()
    try:
        yield Path(output_of(context.buildah("mount", container), deadline_s=SHORT_DEADLINE_S).strip())
    finally:
        run_logged(context.buildah("rm", container), context.log, deadline_s=SHORT_DEADLINE_S)


def mounted_layout(context: BuildContext, layout: Path) -> AbstractContextManager[Path]:
    """The same of an OCI layout in a folder."""
    # By its name alone: buildah makes a reference of the path, which may not have a folder like `.cache` in it.
    return mounted(context, f"oci:{layout.name}", folder=layout.parent)
