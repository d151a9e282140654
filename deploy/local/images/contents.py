"""What each image is made of: the target of the Containerfile, the packages it installs, the files it contains.

`images.py` builds them and names them by their contents; deploy/images/Containerfile says how.
"""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from deploy.local.images.wheels import CONTROL_PLANE as CONTROL_PLANE_PINS
from deploy.local.images.wheels import DATA as DATA_PINS
from deploy.local.images.wheels import DEVICE_PLUGIN as DEVICE_PLUGIN_PINS
from deploy.local.images.wheels import FETCHING, SERVING, TUNING

Device = Literal["cpu", "cuda"]
"""What models are computed on, as in the names of constraints/runtime-*.txt and in the Containerfile."""


@dataclass(frozen=True)
class Image:
    """A target of the Containerfile, the packages it installs, and the files of this repository that it contains."""

    target: str
    pins: tuple[Path, ...]
    sources: tuple[str, ...]
    torch: bool = False
    """Whether the image contains torch."""
    device: Device = "cpu"
    small_base: bool = False
    """Whether it is made on the base without shell and package manager."""

    @property
    def repository(self) -> str:
        return f"modelyard/{self.target}"

    @property
    def name(self) -> str:
        """The target, with the device where there are several images of it."""
        return f"{self.target}-cuda" if self.device == "cuda" else self.target


def _below(folder: str, *names: str) -> tuple[str, ...]:
    """Returns modules of a package, with its `__init__.py`."""
    return tuple(f"{folder}/{name}.py" for name in ("__init__", *names))


TRAINING_ROWS = tuple(f"api/pods/training_{name}.py" for name in ("messages", "rows", "values"))
"""What rows of data mean: where data is judged, and where it is learnt."""
CONTROL_PLANE = Image(
    "control-plane",
    (CONTROL_PLANE_PINS,),
    (
        *("api", "presets", "activities", "workflows", "process", "worker", "watcher", "admin", "cli"),
        *("deploy/__init__.py", "deploy/crds", *_below("deploy/local", "layout")),
    ),
    small_base=True,
)
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
        *TRAINING_ROWS,
        *("api/pods/tune.py", "api/pods/weights.py"),
        *("runtime/__init__.py", "runtime/pod", "runtime/registry", "runtime/rows", "runtime/turns"),
        *("runtime/data", "runtime/publish", "runtime/adapters"),
    ),
)
# Only what serving imports: a change of one of these rebuilds the image and rolls it out to every Workspace.
RUNTIME = Image(
    "runtime",
    (SERVING,),
    (
        *("api/__init__.py", "api/configs", *_below("api/pods", "adapter_records", "serve", "weights"), "api/words.py"),
        *("runtime/__init__.py", "runtime/pyproject.toml", "runtime/serve"),
        *_below("runtime/pod", "accelerator", "lora_tensors", "metrics", "safetensors", "termination"),
    ),
    torch=True,
)
# In addition to everything in `runtime`.
TUNE = Image(
    "tune",
    (SERVING, TUNING),
    (
        *RUNTIME.sources,
        *("api/pods/data.py", "api/pods/registries.py", *TRAINING_ROWS, "api/pods/tune.py"),
        *("runtime/pod/exit.py", "runtime/pod/lora_values.py", "runtime/pod/status_server.py"),
        *("runtime/rows", "runtime/tune", "runtime/turns"),
    ),
    torch=True,
)
DEVICE_PLUGIN = Image(
    "device-plugin",
    (DEVICE_PLUGIN_PINS,),
    (*_below("deploy/local/nodes"), "deploy/__init__.py", "deploy/local/__init__.py", "deploy/local/nodes/plugin"),
)
"""Of local stacks alone, whose nodes have no GPUs: it is published nowhere."""
# The smallest first: a pod starts with it.
FOR_SERVING = (FETCH, RUNTIME)
FOR_TUNING = (DATA, TUNE)
IMAGES = (*FOR_SERVING, *FOR_TUNING)
"""Those of model pods."""


def images_for(device: Device) -> tuple[Image, ...]:
    """Returns all images of an installation whose models are computed on this device."""
    return (CONTROL_PLANE, *(on_device(image, device) for image in IMAGES))


def on_device(image: Image, device: Device) -> Image:
    """Returns the image for a device: other packages, the same files. One without torch is the same on every device."""
    if not image.torch or device == image.device:
        return image
    pins = tuple(pin.with_name(pin.name.replace(f"-{image.device}", f"-{device}")) for pin in image.pins)
    return replace(image, pins=pins, device=device)
