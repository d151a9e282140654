"""Reads the header of a safetensors file: which tensors it holds, of what type and shape. Their values are not read."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from api.configs.json_reading import read_json

HEADER_MAX: Final = 32 * 2**20
"""Bytes of a header. The format allows 100 MB; 100,000 tensors, as an adapter of the widest experts has, take 15."""


@dataclass(frozen=True)
class Tensor:
    """`dtype` as the format writes it: BF16, F32, U8."""

    dtype: str
    shape: tuple[int, ...]


def tensors_of(file: Path) -> Mapping[str, Tensor]:
    """Returns the tensors by name. Raises ValueError for a file without a valid header, and OSError."""
    with file.open("rb") as stream:
        length = int.from_bytes(stream.read(8), "little")
        if not 2 <= length <= HEADER_MAX:
            raise ValueError(f"{file.name} is not a safetensors file")
        try:
            header = read_json(stream.read(length))
            return {
                name: Tensor(str(entry["dtype"]), tuple(int(size) for size in entry["shape"]))
                for name, entry in header.items()
                if name != "__metadata__"
            }
        except (KeyError, TypeError, AttributeError, ValueError) as error:
            raise ValueError(f"{file.name} has a header that cannot be read ({type(error).__name__})") from error
