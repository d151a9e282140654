"""Selects the files of a model repository that a server needs: one copy of the weights, tokenizer, configuration; or
those of the tokenizer alone.

Repositories often carry the same weights several times (original checkpoints, .bin beside safetensors, ONNX). Pure
functions over file names and sizes; downloading is left to `download.py`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

SAFETENSORS = "*.safetensors"
# Weights in other formats; needed only when there are no safetensors of the model.
PICKLED = ("*.bin", "*.pt", "*.pth")
# Exports for other engines, and training artifacts.
NEVER = (
    *("*.gguf", "*.ggml", "*.onnx", "*.onnx_data", "*.msgpack", "*.h5", "*.ot", "*.tflite", "*.mlmodel", "*.ckpt"),
    *("training_args.bin", "optimizer.*", "scheduler.pt", "rng_state*.pth", "trainer_state.json", "events.out.*"),
    *(".gitattributes", "*.md", "*.png", "*.jpg", "*.jpeg", "*.gif", "*.svg", "*.webp", "*.pdf", "*.mp4", "*.ipynb"),
)
FOLDERS_NEVER = ("original/", "metal/", "onnx/", "openvino/", "coreml/", "runs/", "checkpoint-", "global_step", ".")
# One file for the whole model in Mistral's own layout, beside the same weights in shards.
CONSOLIDATED = "consolidated*"
# Other precisions of the same weights, as model.fp16.safetensors beside model.safetensors.
VARIANTS = ("*.fp16.*", "*.fp32.*", "*.bf16.*", "*.fp16-*", "*.fp32-*", "*.bf16-*")
# What turns a conversation into text: the chat template with its special tokens, and what is one token.
TOKENIZER = (
    *("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json"),
    *("chat_template.jinja", "chat_template.json", "additional_chat_templates/*.jinja"),
)


@dataclass(frozen=True)
class RemoteFile:
    """A file of a repository at one revision. `size` in bytes; None if the hub does not report it."""

    path: str
    size: int | None = None
    sha256: str | None = None


def select_files(files: Sequence[RemoteFile]) -> list[RemoteFile]:
    """The files to download, in the order given."""
    kept = [file for file in files if not _never(file.path)]
    safetensors = [file.path for file in kept if fnmatchcase(file.path, SAFETENSORS)]
    in_shards = [path for path in safetensors if not _is_consolidated(path)]
    plain = [path for path in in_shards if not _is_variant(path)]
    return [file for file in kept if not _duplicate(file.path, bool(safetensors), bool(in_shards), bool(plain))]


def select_tokenizer(files: Sequence[RemoteFile]) -> list[RemoteFile]:
    """The files that judging training data needs, in the order given; a repository may have none of them."""
    return [file for file in files if any(fnmatchcase(file.path, pattern) for pattern in TOKENIZER)]


def total_size(files: Sequence[RemoteFile]) -> int:
    """Bytes of all files whose size is known."""
    return sum(file.size or 0 for file in files)


def _duplicate(path: str, safetensors: bool, in_shards: bool, plain: bool) -> bool:
    if safetensors and (_matches(path, PICKLED) or _matches(path, ("*.bin.index.json",))):
        return True
    if in_shards and _is_consolidated(path):
        return True
    return plain and fnmatchcase(path, SAFETENSORS) and _is_variant(path)


def _never(path: str) -> bool:
    return path.startswith(FOLDERS_NEVER) or _matches(path, NEVER)


def _is_consolidated(path: str) -> bool:
    return fnmatchcase(_name(path), CONSOLIDATED)


def _is_variant(path: str) -> bool:
    return _matches(path, VARIANTS)


def _matches(path: str, patterns: Sequence[str]) -> bool:
    return any(fnmatchcase(_name(path), pattern) for pattern in patterns)


def _name(path: str) -> str:
    return path.rsplit("/", 1)[-1]
