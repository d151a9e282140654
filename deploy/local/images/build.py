"""Builds the images of deploy/images/Containerfile with buildah, without a container engine.

The result is an OCI layout in the cache, with compressed layers, so that it can be pushed to any registry without
building or compressing again. `images.py` defines the images and when they are built; `push.py` pushes them.
"""

import hashlib
import json
import shutil
from dataclasses import dataclass
from pathlib import Path

from deploy.local.host.commands import output_of, run_logged
from deploy.local.images.rootfs import PACKAGES, SUITE, ensure_rootfs, given_base
from deploy.local.layout import REPOSITORY, Report

CONTAINERFILE = REPOSITORY / "deploy" / "images" / "Containerfile"
IGNORED = CONTAINERFILE.with_suffix(".dockerignore")
BASE = f"localhost/modelyard/base:{SUITE}-{hashlib.sha256(PACKAGES.encode()).hexdigest()[:8]}"
# The runtime image: 6 minutes measured on 2 busy cores.
BUILD_DEADLINE_S = 3600.0
SHORT_DEADLINE_S = 600.0
# Level 1 compresses 2 GB in seconds and halves what a node writes; see docs/performance.md.
COMPRESSION = ("--compression-format", "zstd", "--compression-level", "1")
# Cached layers save minutes when only our code has changed; one full build leaves 7 GB of them.
STORAGE_LIMIT_BYTES = 12 * 2**30
CERTIFICATES = Path("/etc/ssl/certs")


@dataclass(frozen=True)
class BuildContext:
    """Where images are built: buildah's own storage, separate from the user's, and the finished layouts."""

    cache: Path
    log: Path

    @property
    def folder(self) -> Path:
        return self.cache / "images"

    def buildah(self, *arguments: str) -> list[str]:
        # Nodes and servers may be running beside the build, so they go first; but with nice 10 two busy processes of
        # somebody else leave a build one tenth of the processors.
        storage = ["--root", str(self.folder / "storage"), "--runroot", "/run/modelyard/images"]
        # Without the option buildah leaves a mount behind on its storage.
        driver = ["--storage-driver", "overlay", "--storage-opt", "overlay.skip_mount_home=true"]
        return ["nice", "-n", "5", "buildah", *storage, *driver, *arguments]

    def layout_of(self, target: str, tag: str) -> Path:
        return self.folder / "layouts" / f"{target}-{tag}"


@dataclass(frozen=True)
class Wanted:
    """A target of the Containerfile, the tag for it, and the build of torch where it has one."""

    target: str
    tag: str
    torch: str | None = None


def build(context: BuildContext, wanted: Wanted, wheels: Path, report: Report) -> Path:
    """Returns the OCI layout of one target; finished ones are not built again. Raises CommandFailed."""
    target, tag = wanted.target, wanted.tag
    done = context.layout_of(target, tag)
    if (done / "index.json").exists():
        return done
    _keep_small(context, report)
    base = given_base() or _own_base(context, report)
    report(f"building the {target} image")
    name = f"localhost/modelyard/{target}:{tag}"
    argv = context.buildah("bud", *build_options(context, wanted, base, wheels), "--tag", name, str(REPOSITORY))
    run_logged(argv, context.log, deadline_s=BUILD_DEADLINE_S)
    report(f"packing the {target} image")
    partial = done.with_name(done.name + ".partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.parent.mkdir(parents=True, exist_ok=True)
    push = context.buildah("push", "--quiet", "--format", "oci", *COMPRESSION, name, f"oci:{partial}:{tag}")
    run_logged(push, context.log, deadline_s=SHORT_DEADLINE_S)
    shutil.rmtree(done, ignore_errors=True)
    partial.rename(done)
    for older in done.parent.glob(f"{target}-*"):
        if older != done:
            shutil.rmtree(older, ignore_errors=True)
    return done


def build_options(context: BuildContext, wanted: Wanted, base: str, wheels: Path) -> list[str]:
    """Returns buildah's options for one target. Files of this machine are mounted, so none stays in the image."""
    options = ["--isolation", "chroot", "--layers", "--target", wanted.target, "--file", str(CONTAINERFILE)]
    options += ["--ignorefile", str(IGNORED), "--build-arg", f"BASE_IMAGE={base}"]
    if wanted.torch:
        options += ["--build-arg", f"TORCH={wanted.torch}"]
    mounts = {wheels: "/build/wheels", _pip_configuration(context): "/etc/pip.conf"}
    if CERTIFICATES.is_dir():
        mounts[CERTIFICATES] = str(CERTIFICATES)
    for host, inside in mounts.items():
        options += ["--volume", f"{host}:{inside}:ro"]
    return options


def _pip_configuration(context: BuildContext) -> Path:
    """Configures pip inside the build to install wheels from the mounted folder, without any index."""
    file = context.folder / "pip.conf"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("[global]\nno-index = true\nfind-links = /build/wheels\n")
    return file


def _keep_small(context: BuildContext, report: Report) -> None:
    """Empties buildah's storage when it has grown too large; finished layouts are stored elsewhere."""
    (context.folder / "storage").mkdir(parents=True, exist_ok=True)
    sizes = output_of(["du", "-sb", str(context.folder / "storage")], deadline_s=SHORT_DEADLINE_S)
    if int(sizes.split()[0]) > STORAGE_LIMIT_BYTES:
        report("removing the layers of earlier builds")
        run_logged(context.buildah("rmi", "--all", "--force"), context.log, deadline_s=SHORT_DEADLINE_S)


def _own_base(context: BuildContext, report: Report) -> str:
    listed = json.loads(output_of(context.buildah("images", "--json"), deadline_s=SHORT_DEADLINE_S) or "[]")
    if any(BASE in (image.get("names") or []) for image in listed):
        return BASE
    rootfs = ensure_rootfs(context.folder / "base", context.log, report)
    container = output_of(context.buildah("from", "scratch"), deadline_s=SHORT_DEADLINE_S).strip()
    try:
        for step in (("add", "--quiet", container, str(rootfs), "/"), ("commit", "--quiet", container, BASE)):
            run_logged(context.buildah(*step), context.log, deadline_s=SHORT_DEADLINE_S)
    finally:
        run_logged(context.buildah("rm", container), context.log, deadline_s=SHORT_DEADLINE_S)
    return BASE
