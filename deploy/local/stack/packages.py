"""The programs of the operating system that a local stack needs, and the installation of missing ones.

The check looks for the program, not for the package: on a machine that is not Debian the same table says what to
install by hand.
"""

import os
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from deploy.local.host.commands import run_logged
from deploy.local.kubernetes.binaries import ASSETS_VARIABLE, kept
from deploy.local.kubernetes.releases import offered
from deploy.local.layout import Layout, Report

# Debian installs some programs outside an ordinary user's PATH.
SBIN = "/usr/local/sbin:/usr/sbin:/sbin"
APT_DEADLINE_S = 900.0
POLICY = Path("/usr/sbin/policy-rc.d")


@dataclass(frozen=True)
class Package:
    """A Debian package and the program it provides: a name on the PATH, or the pattern of an absolute path."""

    name: str
    program: str


RUN = (
    Package("etcd-server", "etcd"),
    Package("containerd", "containerd"),
    Package("runc", "runc"),
    Package("containernetworking-plugins", "/usr/lib/cni/bridge"),
    Package("iproute2", "ip"),
    Package("iptables", "iptables"),
    Package("conntrack", "conntrack"),
    Package("socat", "socat"),
    # Statically linked: the image of the pod sandbox contains nothing else.
    Package("busybox-static", "/bin/busybox"),
    Package("util-linux", "nsenter"),
    Package("mount", "mount"),
)
REGISTRY = (Package("docker-registry", "docker-registry"),)
BUILD_IMAGES = (
    Package("buildah", "buildah"),
    Package("mmdebstrap", "mmdebstrap"),
    Package("fuse-overlayfs", "fuse-overlayfs"),
)
BUILD_KUBERNETES = (
    Package("golang-go", "go"),
    Package("rsync", "rsync"),
    Package("jq", "jq"),
    Package("dpkg-dev", "dpkg-source"),
    Package("make", "make"),
    Package("gcc", "gcc"),
    Package("libc6-dev", "/usr/include/stdio.h"),
    # The copy in Kubernetes' source corrupts memory when built by this Go; `kubernetes/build.py` replaces it.
    Package("golang-github-modern-go-reflect2-dev", "/usr/share/gocode/src/github.com/modern-go/reflect2"),
)

# What vLLM requires of a machine when it runs outside an image, as in the runtime's tests.
RUN_MODELS = (Package("g++", "g++"), Package("libnuma1", "/usr/lib/*/libnuma.so.1"))


class PackagesMissing(RuntimeError):
    """Programs are missing and this machine has no apt-get to install them; the message names them."""


def packages_needed(layout: Layout) -> list[Package]:
    """Returns the packages of a stack with its own cluster; compilers only if Kubernetes has to be built. Raises
    ReleaseUnavailable."""
    given = ASSETS_VARIABLE in os.environ or kept(layout.cache) is not None or offered()
    return [*RUN, *REGISTRY, *BUILD_IMAGES, *([] if given else BUILD_KUBERNETES)]


def missing(wanted: Iterable[Package]) -> list[Package]:
    """Returns the packages whose program is not on this machine."""
    path = os.environ.get("PATH", os.defpath) + os.pathsep + SBIN
    return [package for package in wanted if shutil.which(package.program, path=path) is None and not _is_file(package)]


def ensure_packages(wanted: Iterable[Package], log: Path, report: Report) -> None:
    """Installs what is missing with apt-get. Raises PackagesMissing without apt-get, CommandFailed when it fails."""
    lacking = missing(wanted)
    if not lacking:
        return
    names = [package.name for package in lacking]
    if shutil.which("apt-get") is None:
        programs = ", ".join(package.program for package in lacking)
        raise PackagesMissing(
            f"these programs are missing: {programs}\n"
            f"Fix: install them with this system's package manager (on Debian: {' '.join(names)})"
        )
    report(f"installing {', '.join(names)}")
    apt = ["apt-get", "-y", "-o", "DPkg::Lock::Timeout=300"]
    quiet = {"DEBIAN_FRONTEND": "noninteractive"}
    fix = "read the log; `apt-get -f install` repairs an interrupted installation; then run the command again"
    with services_kept_from_starting():
        for arguments in (["update"], ["install", "--no-install-recommends", *names]):
            # An interrupted dpkg leaves a machine that refuses every further installation.
            run_logged([*apt, *arguments], log, deadline_s=APT_DEADLINE_S, env=quiet, fix=fix, shielded=True)
    still = [package.program for package in missing(lacking)]
    if still:
        raise PackagesMissing(f"apt-get installed {' '.join(names)}, but {', '.join(still)} is missing; log: {log}")


@contextmanager
def services_kept_from_starting() -> Iterator[None]:
    """Prevents Debian from starting etcd, containerd and the registry when they are installed; ours run with our own
    settings. Sets a policy for invoke-rc.d, unless the machine already has one."""
    if POLICY.exists():
        yield
        return
    POLICY.write_text("#!/bin/sh\nexit 101\n")
    POLICY.chmod(0o755)
    try:
        yield
    finally:
        POLICY.unlink(missing_ok=True)


def _is_file(package: Package) -> bool:
    return package.program.startswith("/") and any(Path("/").glob(package.program.lstrip("/")))
