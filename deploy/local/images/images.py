"""The images of a local stack: what each is made of; builds them and ensures that the registry has them.

An image's tag is a hash of all its inputs, so it is built once per content and user, and pushed once per registry. The
tag `dev` names the newest one. `build.py` builds, `push.py` pushes.
"""

import hashlib
import os
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from deploy.local.images.build import CONTAINERFILE, IGNORED, BuildContext, Wanted, build
from deploy.local.images.containerfile import stages_of
from deploy.local.images.push import Registry, manifest_of
from deploy.local.images.rootfs import PACKAGES, SUITE, given_base
from deploy.local.images.torch_build import Torch, known_torch, torch_build
from deploy.local.images.wheels import DATA as DATA_PINS
from deploy.local.images.wheels import FETCHING, SERVING, TUNING, Pins, ensure_wheels, one_at_a_time
from deploy.local.layout import REPOSITORY, Layout, Report

LATEST = "dev"


@dataclass(frozen=True)
class Image:
    """A target of the Containerfile, the packages it installs, and the files of this repository that it contains."""

    target: str
    pins: tuple[Path, ...]
    sources: tuple[str, ...]
    torch: bool = False
    """Whether the image contains torch, in the build chosen for this machine."""

    @property
    def repository(self) -> str:
        return f"modelyard/{self.target}"


def _below(folder: str, *names: str) -> tuple[str, ...]:
    """Returns modules of a package, with its `__init__.py`."""
    return tuple(f"{folder}/{name}.py" for name in ("__init__", *names))


FETCH = Image(
    "fetch",
    (FETCHING,),
    (
        *("api/__init__.py", *_below("api/pods", "weights"), "runtime/__init__.py"),
        *(*_below("runtime/pod", "metrics", "retry", "status_server", "termination"), "runtime/fetch"),
    ),
)
DATA = Image(
    "data",
    (DATA_PINS,),
    (
        *("api/__init__.py", "api/addresses.py", "api/environment_proxy.py", "api/configs", "api/oci"),
        *_below("api/pods", "adapter_records", "adapters", "data", "publish", "registries"),
        *("api/pods/training_rows.py", "api/pods/tune.py", "api/pods/weights.py"),
        *("runtime/__init__.py", "runtime/pod", "runtime/registry", "runtime/data"),
        *("runtime/publish", "runtime/adapters"),
    ),
)
# Only what serving imports: a change of one of these rebuilds the image and rolls it out to every Workspace.
RUNTIME = Image(
    "runtime",
    (SERVING,),
    (
        *("api/__init__.py", "api/configs", *_below("api/pods", "adapter_records", "serve", "weights")),
        *("runtime/__init__.py", "runtime/pyproject.toml", "runtime/serve"),
        *_below("runtime/pod", "metrics", "safetensors", "termination"),
    ),
    torch=True,
)
# In addition to everything in `runtime`.
TUNE = Image(
    "tune",
    (SERVING, TUNING),
    (
        *RUNTIME.sources,
        *("api/pods/data.py", "api/pods/registries.py", "api/pods/training_rows.py", "api/pods/tune.py"),
        *("runtime/pod/exit.py", "runtime/pod/status_server.py", "runtime/tune"),
    ),
    torch=True,
)
# The smallest first: a pod starts with it.
FOR_SERVING = (FETCH, RUNTIME)
FOR_TUNING = (DATA, TUNE)
IMAGES = (*FOR_SERVING, *FOR_TUNING)


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


def build_image(layout: Layout, image: Image, report: Report) -> Path:
    """Returns the OCI layout of an image in the cache. Needs no registry, so it may run before there is one."""
    context = BuildContext(layout.cache, layout.logs / "images.log")
    torch = torch_in(layout, image, report)
    with one_at_a_time(context.folder / ".lock", lambda: report("waiting for another build of images")):
        while True:
            tag = tag_of(image, torch)
            done = context.layout_of(image.target, tag)
            if (done / "index.json").exists():
                return done
            pins = [*map(Pins, image.pins), *([torch.pins] if torch else [])]
            wheels = ensure_wheels(layout.cache, pins, context.log, report)
            built = build(context, Wanted(image.target, tag, torch.build if torch else None), wheels, report)
            if tag_of(image, torch) == tag:
                return built
            report("the sources were edited while the image was built: building it again")
            shutil.rmtree(built)


def is_built(layout: Layout, image: Image) -> bool:
    """Returns whether the cache has the image of the current sources; False, without a query, if no torch is chosen."""
    torch = known_torch(layout.cache) if image.torch else None
    if image.torch and torch is None:
        return False
    context = BuildContext(layout.cache, layout.logs / "images.log")
    return (context.layout_of(image.target, tag_of(image, torch)) / "index.json").exists()


def torch_in(layout: Layout, image: Image, report: Report = lambda words: None) -> Torch | None:
    """Returns the torch that the image is built with, None for an image without. Raises TorchUnavailable."""
    return torch_build(layout.cache, report) if image.torch else None


def reference(layout: Layout, image: Image) -> str:
    """Returns the image's reference by content, as used in pods; it changes with that. Raises TorchUnavailable."""
    return f"{layout.registry}/{image.repository}:{tag_of(image, torch_in(layout, image))}"


def tag_of(image: Image, torch: Torch | None) -> str:
    """Returns 16 hex digits over everything that goes into an image."""
    digest = hashlib.sha256(f"{given_base() or (SUITE, PACKAGES)}".encode())
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
