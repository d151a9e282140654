"""Keeps the Linux namespaces (mount, network, pid) of a local node or of the gateway alive.

One small process holds them, as pid 1 inside. They are not pinned to files: when the holder ends, the kernel kills the
processes inside and removes the mounts and interfaces, so that nothing can be left over.
"""

from collections.abc import Sequence
from pathlib import Path

from deploy.local.host import daemons, mount_points
from deploy.local.layout import Layout

# Arguments are pairs of folder and mount point. /run is private, so that sockets, locks and network namespaces of two
# nodes never meet; mounts are shared inside, as on a real node, because pods may request mount propagation.
# Pid 1 has to reap orphaned processes, which `wait` does.
HOLDER = f"""
set -e
{mount_points.HOLD_GUARD}mount --make-rshared /
mount -t tmpfs -o mode=755 tmpfs /run
mkdir -p /run/lock /run/netns
while [ $# -gt 0 ]; do mount --bind "$1" "$2"; shift 2; done
ip link set lo up
echo 1 > /proc/sys/net/ipv4/ip_forward
echo 0 > /proc/sys/net/ipv4/conf/all/send_redirects
echo 0 > /proc/sys/net/ipv4/conf/default/send_redirects
touch /run/held
trap : TERM INT
while :; do sleep 3600 & wait $!; done
"""
UNSHARE = ("unshare", "--mount", "--net", "--pid", "--fork", "--kill-child=SIGKILL", "--mount-proc")


def hold(layout: Layout, name: str, binds: Sequence[tuple[Path, Path]] = ()) -> int:
    """Creates namespaces under a name; returns the pid (outside) of the first process inside. Raises DaemonFailed."""
    places = [str(path) for pair in binds for path in pair]
    argv = (*UNSHARE, "sh", "-c", HOLDER, "sh", *places)
    daemons.start(layout, daemons.Daemon(_daemon(name), argv, ready=lambda: _is_set_up(layout, name)))
    return first_pid(layout, name)


def release(layout: Layout, name: str) -> None:
    """Ends all processes in the namespaces. Raises DaemonFailed."""
    # unshare ignores SIGTERM while its child lives, so there is nothing to wait for.
    daemons.stop(layout, _daemon(name), deadline_s=0)


def held(layout: Layout, name: str) -> bool:
    return _daemon(name) in daemons.running(layout)


def first_pid(layout: Layout, name: str) -> int:
    """Returns the pid (outside) of the first process inside. Raises ProcessLookupError without held namespaces."""
    holder = daemons.running(layout).get(_daemon(name))
    child = _only_child(holder) if holder else None
    if child is None:
        raise ProcessLookupError(f"the namespaces of {name} are not held; start it first")
    return child


def enter(layout: Layout, name: str) -> tuple[str, ...]:
    """Returns the argv prefix that runs a program inside, which ends together with the process visible outside."""
    target = str(first_pid(layout, name))
    namespaces = ("--mount", "--net", "--pid")
    return ("nsenter", "--target", target, *namespaces, "--", "setpriv", "--pdeathsig", "KILL", "--")


def inside(layout: Layout, name: str, path: str) -> Path:
    """Returns a path inside the namespaces as seen from outside."""
    return Path(f"/proc/{first_pid(layout, name)}/root{path}")


def _daemon(name: str) -> str:
    return f"namespaces-{name}"


def _is_set_up(layout: Layout, name: str) -> bool:
    try:
        return inside(layout, name, "/run/held").exists()
    except ProcessLookupError:
        return False


def _only_child(pid: int) -> int | None:
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return int(children[0]) if children else None
