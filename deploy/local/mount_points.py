"""Folders with fixed names that Kubernetes insists on, over which every node and stack mounts its own.

The empty folders below the mounts are shared by all stacks of the machine. Removing one takes the mount over it away in
every namespace, so whoever mounts holds a shared lock as long as it lives, and only the last out removes what we made.
"""

import fcntl
from pathlib import Path

GUARD = Path("/run/modelyard-mount-points")
KUBELET = Path("/var/lib/kubelet")
CONTAINERD = Path("/var/lib/containerd")
# Fixed in Kubernetes' source (pkg/volume/hostpath) for volumes that the controller-manager provisions.
PROVISIONED_VOLUMES = Path("/tmp/hostpath_pv")
# Shell lines for whoever is about to mount: the lock lives in file descriptor 9 until the process ends.
HOLD_GUARD = f"exec 9>>{GUARD}\nflock --shared 9\n"


def make() -> None:
    """Makes the folders that are missing and notes which those were."""
    with GUARD.open("a") as guard:
        fcntl.flock(guard, fcntl.LOCK_SH)
        for folder in (KUBELET, CONTAINERD, PROVISIONED_VOLUMES):
            if not folder.is_dir():
                folder.mkdir(parents=True, exist_ok=True)
                guard.write(f"{folder}\n")


def remove_unused() -> None:
    """Removes the folders that `make` made, unless a node or a stack still mounts over them or something is in them."""
    if not GUARD.exists():
        return
    with GUARD.open() as guard:
        try:
            fcntl.flock(guard, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return
        for folder in {Path(line) for line in guard.read().split()}:
            if folder.is_dir() and not any(folder.iterdir()):
                folder.rmdir()
        GUARD.unlink()
