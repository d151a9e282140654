"""The disk that builds of images take: whether it is there before one begins, and what of it their layers may keep.

`build.py` builds.
"""

import os
import shutil
from pathlib import Path
from typing import Final

from deploy.local.host.commands import output_of, run_logged
from deploy.local.images.buildah import SHORT_DEADLINE_S, BuildContext
from deploy.local.images.contents import Device
from deploy.local.images.wheels import folder_of_wheels
from deploy.local.layout import Report

GIB: Final = 2**30
CACHE_GIB: Final[dict[Device, int]] = {"cpu": 9, "cuda": 40}
"""All images of a device from nothing: packages, layers, finished images. Measured, docs/images.md."""
TEMPORARY_GIB: Final[dict[Device, int]] = {"cpu": 3, "cuda": 9}
"""A layer while it is stored is there once more, unpacked, in buildah's folder for temporary files."""
LAYERS_GIB: Final[dict[Device, int]] = {"cpu": 12, "cuda": 40}
"""Layers of earlier builds save minutes when only our code has changed; one build leaves 5 GB, for GPUs 18 GB."""


class NoRoom(OSError):
    """The disk is too small for a build of images; the message says what is free, what is needed, and what to set."""


def check_room(context: BuildContext, device: Device) -> None:
    """Returns where all images of a device can be built, with what earlier builds have left. Raises NoRoom."""
    temporary = Path(os.environ.get("TMPDIR", "/var/tmp"))
    there = next(parent for parent in (context.folder, *context.folder.parents) if parent.exists())
    free = {folder: shutil.disk_usage(folder).free for folder in (there, temporary)}
    left = sum(_size(folder) for folder in (context.storage, folder_of_wheels(context.cache)))
    together = there.stat().st_dev == temporary.stat().st_dev
    if problem := room_problem(device, free[there], free[temporary], left, together=together):
        raise NoRoom(problem)


def room_problem(device: Device, free: int, free_temporary: int, left: int, *, together: bool) -> str:
    """Returns what is wrong, empty if nothing is. Sizes in bytes: `free` where the cache is and `free_temporary` where
    temporary files are, `together` if that is one file system; `left` is what earlier builds have left in the cache."""
    needed, needed_temporary = CACHE_GIB[device] * GIB - left, TEMPORARY_GIB[device] * GIB
    if together:
        needed += needed_temporary
    if free < needed:
        return (
            f"{free / GIB:.0f} GiB are free for the cache and {needed / GIB:.0f} GiB are needed to build images for "
            f"{device}. Fix: free some, or set XDG_CACHE_HOME to a folder on a larger disk"
        )
    if not together and free_temporary < needed_temporary:
        return (
            f"{free_temporary / GIB:.0f} GiB are free for temporary files and {needed_temporary / GIB:.0f} GiB are "
            f"needed to build images for {device}. Fix: free some, or set TMPDIR to a folder on a larger disk"
        )
    return ""


def keep_small(context: BuildContext, device: Device, report: Report) -> None:
    """Empties buildah's storage when it has grown too large for what is built on it; finished images are elsewhere.
    Raises CommandFailed."""
    context.storage.mkdir(parents=True, exist_ok=True)
    if _size(context.storage) > LAYERS_GIB[device] * GIB:
        report("removing the layers of earlier builds")
        run_logged(context.buildah("rmi", "--all", "--force"), context.log, deadline_s=SHORT_DEADLINE_S)


def _size(folder: Path) -> int:
    return int(output_of(["du", "-sb", str(folder)], deadline_s=SHORT_DEADLINE_S).split()[0]) if folder.exists() else 0
