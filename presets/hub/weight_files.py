"""Selects a repository's weight files: one copy, the one that the pod fetches.

Repeats the rules of `runtime.fetch`, because the control plane does not import code that runs in pods. A test
compares the two.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Final

SAFETENSORS: Final = "*.safetensors"
PICKLED: Final = ("*.bin", "*.pt", "*.pth")
FOLDERS_NEVER: Final = (
    *("original/", "metal/", "onnx/", "openvino/", "coreml/", "runs/", "checkpoint-", "global_step", "."),
)
"""The same weights in other forms, and what training leaves behind."""
NEVER: Final = ("training_args.bin", "optimizer.*", "scheduler.pt", "rng_state*.pth")
CONSOLIDATED: Final = "consolidated*"
"""Mistral's own layout: the same weights as in shards beside it."""
VARIANTS: Final = ("*.fp16.*", "*.fp32.*", "*.bf16.*", "*.fp16-*", "*.fp32-*", "*.bf16-*")


@dataclass(frozen=True)
class HubFile:
    """A file of a repository; `size` in bytes."""

    path: str
    size: int


def weight_files(files: Sequence[HubFile]) -> list[HubFile]:
    """Safetensors where there are any, else PyTorch files. Of safetensors, shards rather than one consolidated file,
    and the plain precision rather than a variant. Empty where a repository has no weights."""
    kept = [file for file in files if not file.path.startswith(FOLDERS_NEVER) and not _matches(file, NEVER)]
    safetensors = [file for file in kept if _matches(file, (SAFETENSORS,))]
    if not safetensors:
        return [file for file in kept if _matches(file, PICKLED)]
    shards = [file for file in safetensors if not _matches(file, (CONSOLIDATED,))]
    return [file for file in shards if not _matches(file, VARIANTS)] or shards or safetensors


def weight_bytes(files: Sequence[HubFile]) -> int:
    """Bytes of the weights that are fetched."""
    return sum(file.size for file in weight_files(files))


def only_consolidated(files: Sequence[HubFile]) -> bool:
    """True where the weights are in Mistral's own layout alone."""
    chosen = weight_files(files)
    return bool(chosen) and all(_matches(file, (CONSOLIDATED,)) for file in chosen)


def _matches(file: HubFile, patterns: Sequence[str]) -> bool:
    name = file.path.rsplit("/", 1)[-1]
    return any(fnmatchcase(name, pattern) for pattern in patterns)
