"""Names images by their contents, builds what has changed, and ensures that the local stack's registry has them.

An image's tag is a hash of all its inputs, so it is built once per content and user, and pushed once per registry. The
tag `dev` names the newest one. `contents.py` says what each is made of, `build.py` builds, `push.py` pushes.
"""

import hashlib
import os
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path

from deploy.local.images.build import CONTAINERFILE, IGNORED, Wanted, build
from deploy.local.images.buildah import BuildContext
from deploy.local.images.containerfile import stages_of
from deploy.local.images.contents import Device, Image
from deploy.local.images.push import Registry, manifest_of
from deploy.local.images.rootfs import FULL, SMALL, given_base
from deploy.local.images.torch_build import Torch, for_gpus, known_torch, torch_build
from deploy.local.images.wheels import Pins, ensure_wheels, one_at_a_time
from deploy.local.layout import REPOSITORY, Layout, Report

LATEST = "dev"


def ensure_images(layout: Layout, wanted: Sequence[Image], report: Report) -> None:
    """Builds what has changed and pushes what the registry lacks. Raises CommandFailed, NoBase, PushFailed,
    TorchUnavailable, OSError."""
    for image in wanted:
        built = build_image(layout, image, report)
        registry = Registry(layout.registry, image.repository)
        descriptor = manifest_of(built)
        tags = (tag_of(image, torch_in(layout, image, report)), LATEST)
        if any(registry.manifest_digest(tag, descriptor["mediaType"]) != descriptor["digest"] for tag in tags):
            report(f"pushing the {image.target} image")
            registry.push(built, tags)


def build_image(layout: Layout, image: Image, report: Report, *, together_with: Device | None = None) -> Path:
    """Returns the OCI layout of an image in the cache. Needs no registry, so it may run before there is one.

    `together_with`: the device of the images that are built in the same run, so that it leaves their layers alone.
    """
    context = BuildContext(layout.cache, layout.logs / "images.log")
    torch = torch_in(layout, image, report)
    with one_at_a_time(context.folder / ".lock", lambda: report("waiting for another build of images")):
        while True:
            tag = tag_of(image, torch)
            done = context.layout_of(image.name, tag)
            if (done / "index.json").exists():
                return done
            pins = [*map(Pins, image.pins), *([torch.pins] if torch else [])]
            wheels = ensure_wheels(layout.cache, pins, context.log, report)
            wanted = Wanted(image, tag, torch.build if torch else None, together_with)
            built = build(context, wanted, wheels, report)
            if tag_of(image, torch) == tag:
                return built
            report("the sources were edited while the image was built: building it again")
            shutil.rmtree(built)


def is_built(layout: Layout, image: Image) -> bool:
    """Returns whether the cache has the image of the current sources; False, without a query, if no torch is chosen."""
    return layout_of(layout, image) is not None


def layout_of(layout: Layout, image: Image) -> Path | None:
    """Returns the image of the current sources in the cache as an OCI layout, None without; queries nothing."""
    torch = known_torch(layout.cache) if image.torch and image.device == "cpu" else torch_in(layout, image)
    if image.torch and torch is None:
        return None
    context = BuildContext(layout.cache, layout.logs / "images.log")
    found = context.layout_of(image.name, tag_of(image, torch))
    return found if (found / "index.json").exists() else None


def torch_in(layout: Layout, image: Image, report: Report = lambda words: None) -> Torch | None:
    """Returns the torch that the image is built with, None for an image without. Raises TorchUnavailable."""
    if not image.torch:
        return None
    return for_gpus() if image.device == "cuda" else torch_build(layout.cache, report)


def reference(layout: Layout, image: Image) -> str:
    """Returns the image's reference by content, as used in pods; it changes with that. Raises TorchUnavailable."""
    return f"{layout.registry}/{image.repository}:{tag_of(image, torch_in(layout, image))}"


def tag_of(image: Image, torch: Torch | None) -> str:
    """Returns 16 hex digits over everything that goes into an image."""
    bases = (FULL.name, SMALL.name) if image.small_base else (FULL.name,)
    digest = hashlib.sha256(f"{given_base() or bases}".encode())
    digest.update(stages_of(CONTAINERFILE.read_text(), image.target).encode())
    for file in (IGNORED, *image.pins, *([torch.pins.file] if torch else []), *files_of(image.sources)):
        digest.update(f"\0{file.relative_to(REPOSITORY)}\0{file.stat().st_size}\0".encode())
        digest.update(file.read_bytes())
    return digest.hexdigest()[:16]


def files_of(sources: tuple[str, ...]) -> Iterator[Path]:
    """Yields the files below the given ones, in a fixed order, without build outputs."""
    for source in sources:
        path = REPOSITORY / source
        if path.is_file():
            yield path
            continue
        for parent, folders, names in os.walk(path):
            folders[:] = sorted(name for name in folders if name != "__pycache__" and not name.endswith(".egg-info"))
            yield from (Path(parent, name) for name in sorted(names) if not name.endswith(".pyc"))
