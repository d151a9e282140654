"""Reads whether a LoRA adapter changes anything: the product of each pair of matrices is zero where one of them is.

peft begins with one matrix of each pair at zero, so that is what a training leaves that learned nothing.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import BinaryIO, Final

from api.configs.json_reading import read_json
from runtime.pod.lora_tensors import PAIRS

_CHUNK: Final = 2**20


def changes_nothing(file: Path) -> bool:
    """Whether one matrix of every pair holds zeros only; False for a file without pairs. The file's form has been
    checked. Reads each matrix until the first number that is not zero. Raises OSError, ValueError, KeyError."""
    with file.open("rb") as stream:
        length = int.from_bytes(stream.read(8), "little")
        header: Mapping[str, Mapping[str, list[int]]] = read_json(stream.read(length))
        pairs = [
            (name, f"{name.removesuffix(down)}{up}")
            for name in header
            for down, up in PAIRS
            if name.endswith(down) and f"{name.removesuffix(down)}{up}" in header
        ]
        places = {name: header[name]["data_offsets"] for pair in pairs for name in pair}
        return bool(pairs) and all(
            any(_is_zero(stream, 8 + length + places[name][0], 8 + length + places[name][1]) for name in reversed(pair))
            for pair in pairs
        )


def _is_zero(stream: BinaryIO, begins: int, ends: int) -> bool:
    """Whether all bytes are zero, which is the number zero in every type."""
    stream.seek(begins)
    left = ends - begins
    while left > 0 and (chunk := stream.read(min(left, _CHUNK))):
        if chunk.count(0) != len(chunk):
            return False
        left -= len(chunk)
    return True
