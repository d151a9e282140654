"""Creates the root file systems that images are built on, for machines that reach no registry with base images.

They are Debian 12 with its Python 3.11, made by mmdebstrap from the machine's own package sources: a full one, in which
images are also built, and a small one without shell and package manager. If MODELYARD_BASE_IMAGE names another base
(`python:3.11-slim`), nothing is created.
"""

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

from deploy.local.host.commands import CommandFailed, output_of, run_logged
from deploy.local.layout import Report

SUITE = "bookworm"
BASE_VARIABLE = "MODELYARD_BASE_IMAGE"
KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
# 50 s measured on 2 busy cores.
DEADLINE_S = 1800.0
# Documentation is useless in a container and a third of the files.
LEFT_OUT = ("/usr/share/doc/*", "/usr/share/man/*", "/usr/share/locale/*", "/usr/share/info/*")


# What the maintainer scripts would have made, which the variant `extract` does not run.
WITHOUT_SCRIPTS = (
    'mkdir -p "$1/etc/ssl/certs" "$1/var/lib/dpkg/status.d"',
    'cat "$1"/usr/share/ca-certificates/mozilla/*.crt > "$1/etc/ssl/certs/ca-certificates.crt"',
    'printf "root:x:0:0:root:/root:/usr/sbin/nologin\\nmodelyard:x:65532:65532::/nonexistent:/usr/sbin/nologin\\n"'
    ' > "$1/etc/passwd"',
    'printf "root:x:0:\\nmodelyard:x:65532:\\n" > "$1/etc/group"',
    # One file for each package, where scanners look in images without dpkg.
    'for deb in "$1"/var/cache/apt/archives/*.deb; do dpkg-deb --field "$deb"'
    ' > "$1/var/lib/dpkg/status.d/$(dpkg-deb --field "$deb" Package)"; done',
)


@dataclass(frozen=True)
class Rootfs:
    """What mmdebstrap makes: its variant, the packages beside that, and shell commands that complete it ($1: root)."""

    kind: str
    variant: str
    packages: str
    hooks: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """Changes with what it is made of."""
        digest = hashlib.sha256(f"{self.variant} {self.packages} {self.hooks}".encode()).hexdigest()
        return f"{SUITE}-{self.kind}-{digest[:8]}"


FULL = Rootfs("full", "minbase", "python3-venv,ca-certificates,libnuma1")
SMALL = Rootfs(
    "small",
    "extract",
    # base-files names the distribution, without which scanners match no advisories.
    "base-files,python3-minimal,python3.11-minimal,libpython3.11-stdlib,ca-certificates,netbase,media-types,tzdata",
    WITHOUT_SCRIPTS,
)


class NoBase(RuntimeError):
    """A base cannot be created on this machine; the message says what to set instead."""


def given_base() -> str | None:
    """Returns the base image that the user set, if any."""
    return os.environ.get(BASE_VARIABLE) or None


def ensure_rootfs(rootfs: Rootfs, folder: Path, log: Path, report: Report) -> Path:
    """Returns the tar of a root file system, made once per definition. Raises NoBase, CommandFailed."""
    done = folder / f"{rootfs.name}.tar"
    if done.exists():
        return done
    report(f"making a {rootfs.kind} Debian {SUITE} root file system for the images")
    folder.mkdir(parents=True, exist_ok=True)
    sources = folder / "sources.list"
    sources.write_text("\n".join(_own_sources()) + "\n")
    # mmdebstrap derives the format from the name, so the unfinished file ends in .tar too.
    partial = folder / "unfinished.tar"
    argv = ["mmdebstrap", f"--variant={rootfs.variant}", f"--include={rootfs.packages}"]
    argv += [f"--dpkgopt=path-exclude={pattern}" for pattern in LEFT_OUT]
    argv += [f"--extract-hook={hook}" for hook in rootfs.hooks]
    run_logged([*argv, SUITE, str(partial), str(sources)], log, deadline_s=DEADLINE_S, fix=_fix())
    partial.rename(done)
    return done


def sources_of(index_targets: str, keyring: Path | None) -> list[str]:
    """Returns deb lines for SUITE among apt's index targets (lines of ORIGIN|REPO_URI|RELEASE|COMPONENT)."""
    option = f"[signed-by={keyring}] " if keyring else ""
    lines = []
    for line in index_targets.splitlines():
        origin, uri, release, component = line.split("|")
        if origin == "Debian" and release.partition("-")[0] == SUITE:
            lines.append(f"deb {option}{uri} {release} {component}")
    return list(dict.fromkeys(lines))


def _own_sources() -> list[str]:
    argv = ["apt-get", "indextargets", "--format", "$(ORIGIN)|$(REPO_URI)|$(RELEASE)|$(COMPONENT)"]
    try:
        found = sources_of(output_of([*argv, "Created-By: Packages"], deadline_s=60.0), _keyring())
    except CommandFailed as error:
        raise NoBase(f"this machine's package sources cannot be read: {error}\nFix: {_fix()}") from error
    if not found:
        raise NoBase(f"apt knows no source of Debian {SUITE}: run `apt-get update`, or else {_fix()}")
    return found


def _keyring() -> Path | None:
    return KEYRING if KEYRING.exists() else None


def _fix() -> str:
    return f"set {BASE_VARIABLE} to an image with Python 3.11, for instance python:3.11-slim"
