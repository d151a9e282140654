"""Creates the root file system that images are built on, for machines that reach no registry with base images.

It is Debian 12 with its Python 3.11, made by mmdebstrap from the machine's own package sources. If
MODELYARD_BASE_IMAGE names another base (`python:3.11-slim`), nothing is created.
"""

import hashlib
import os
from pathlib import Path

from deploy.local.host.commands import CommandFailed, output_of, run_logged
from deploy.local.layout import Report

SUITE = "bookworm"
PACKAGES = "python3-venv,ca-certificates,libnuma1"
BASE_VARIABLE = "MODELYARD_BASE_IMAGE"
KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
# 50 s measured on 2 busy cores.
DEADLINE_S = 1800.0
# Documentation is useless in a container and a third of the files.
LEFT_OUT = ("/usr/share/doc/*", "/usr/share/man/*", "/usr/share/locale/*", "/usr/share/info/*")


class NoBase(RuntimeError):
    """A base cannot be created on this machine; the message says what to set instead."""


def given_base() -> str | None:
    """Returns the base image that the user set, if any."""
    return os.environ.get(BASE_VARIABLE) or None


def ensure_rootfs(folder: Path, log: Path, report: Report) -> Path:
    """Returns the tar of the root file system, made once per list of packages. Raises NoBase, CommandFailed."""
    done = folder / f"{SUITE}-{hashlib.sha256(PACKAGES.encode()).hexdigest()[:8]}.tar"
    if done.exists():
        return done
    report(f"making a Debian {SUITE} root file system for the images")
    folder.mkdir(parents=True, exist_ok=True)
    sources = folder / "sources.list"
    sources.write_text("\n".join(_own_sources()) + "\n")
    # mmdebstrap derives the format from the name, so the unfinished file ends in .tar too.
    partial = folder / "unfinished.tar"
    argv = ["mmdebstrap", "--variant=minbase", f"--include={PACKAGES}"]
    argv += [f"--dpkgopt=path-exclude={pattern}" for pattern in LEFT_OUT]
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
