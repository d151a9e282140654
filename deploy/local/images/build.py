"""Builds the images of deploy/images/Containerfile with buildah, without a container engine.

The result is an OCI layout in the cache, with compressed layers and a bill of materials, so that it can be pushed to
any registry without building or compressing again. `contents.py` defines the images, `images.py` when they are built;
`sbom.py` writes the bill.
"""

import json
import shutil
from dataclasses import dataclass
from pathlib import Path

from deploy.local.host.commands import run_logged
from deploy.local.images.bases import Bases, ensure_bases, name_base
from deploy.local.images.buildah import BuildContext, mounted
from deploy.local.images.contents import Device, Image
from deploy.local.images.room import keep_small
from deploy.local.images.sbom import SBOM, bill_of_materials
from deploy.local.layout import REPOSITORY, Report

CONTAINERFILE = REPOSITORY / "deploy" / "images" / "Containerfile"
IGNORED = CONTAINERFILE.with_suffix(".dockerignore")
# The runtime image: 6 minutes measured on 2 busy cores.
BUILD_DEADLINE_S = 3600.0
# The runtime image for GPUs has 15 GB to compress.
PACK_DEADLINE_S = 1800.0
# Level 1 compresses 2 GB in seconds and halves what a node writes; see docs/performance.md. A small image takes 5 s at
# level 9, and is a fifth smaller.
LARGE_LEVEL, SMALL_LEVEL = "1", "9"
# Triton compiles its launchers in the pod, against Python's headers.
COMPILER_FOR_GPUS = "gcc libc6-dev libpython3.11-dev"
CERTIFICATES = Path("/etc/ssl/certs")


@dataclass(frozen=True)
class Wanted:
    """An image, the tag for it, and the build of torch where it has one. `together_with`: the device of the images that
    it is built with, whose layers are kept."""

    image: Image
    tag: str
    torch: str | None = None
    together_with: Device | None = None

    @property
    def reference(self) -> str:
        return f"localhost/modelyard/{self.image.name}:{self.tag}"


def build(context: BuildContext, wanted: Wanted, wheels: Path, report: Report) -> Path:
    """Returns the OCI layout of one image; finished ones are not built again. Raises CommandFailed."""
    name, tag = wanted.image.name, wanted.tag
    done = context.layout_of(name, tag)
    if (done / "index.json").exists():
        return done
    keep_small(context, wanted.together_with or wanted.image.device, report)
    bases = ensure_bases(context, small=wanted.image.small_base, report=report)
    report(f"building the {name} image")
    options = build_options(context, wanted, bases, wheels)
    argv = context.buildah("bud", *options, "--tag", wanted.reference, str(REPOSITORY))
    run_logged(argv, context.log, deadline_s=BUILD_DEADLINE_S)
    report(f"packing the {name} image")
    partial = done.with_name(done.name + ".partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.parent.mkdir(parents=True, exist_ok=True)
    level = LARGE_LEVEL if wanted.image.torch else SMALL_LEVEL
    packed = ("--format", "oci", "--compression-format", "zstd", "--compression-level", level)
    push = context.buildah("push", "--quiet", *packed, wanted.reference, f"oci:{partial}:{tag}")
    run_logged(push, context.log, deadline_s=PACK_DEADLINE_S)
    name_base(partial, bases.small if wanted.image.small_base else bases.full)
    with mounted(context, wanted.reference) as root:
        (partial / SBOM).write_text(json.dumps(bill_of_materials(wanted.image.repository, tag, root), indent=1))
    shutil.rmtree(done, ignore_errors=True)
    partial.rename(done)
    for older in done.parent.glob(f"{name}-*"):
        if older != done and older.name.rpartition("-")[0] == name:
            shutil.rmtree(older, ignore_errors=True)
    return done


def build_options(context: BuildContext, wanted: Wanted, bases: Bases, wheels: Path) -> list[str]:
    """Returns buildah's options for one image. Files of this machine are mounted, so none stays in the image."""
    options = ["--isolation", "chroot", "--layers", "--target", wanted.image.target, "--file", str(CONTAINERFILE)]
    options += ["--force-rm"]  # a build that fails would leave its copy of the image, mounted
    arguments = {
        "BASE_IMAGE": bases.full.reference,
        "SMALL_BASE_IMAGE": bases.small.reference,
        "DEVICE": wanted.image.device,
    }
    if wanted.torch:
        arguments["TORCH"] = wanted.torch
    if wanted.image.device == "cuda":
        arguments["COMPILER"] = COMPILER_FOR_GPUS
    options += ["--ignorefile", str(IGNORED)]
    options += [word for name, value in arguments.items() for word in ("--build-arg", f"{name}={value}")]
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
