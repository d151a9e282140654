"""Estimates the tokens of one epoch: measured on samples if there is a tokenizer, else from the number of bytes.

The result names the method. Tokens added by a chat template are not counted: they depend on the model and are few.
"""

import importlib
import importlib.util
from collections.abc import Sequence
from pathlib import Path
from typing import Final

BYTES_PER_TOKEN: Final = 4
"""For English text and the vocabularies of current models; other languages and code have fewer bytes per token."""


def tokens_of(size: int, samples: Sequence[str], tokenizer: Path | None) -> tuple[int, str]:
    """Returns the tokens of `size` bytes of text and the method. Raises ValueError for an invalid tokenizer."""
    sampled = sum(len(sample.encode(errors="replace")) for sample in samples)
    if tokenizer is None or not sampled or importlib.util.find_spec("tokenizers") is None:
        return round(size / BYTES_PER_TOKEN), f"an estimate: {BYTES_PER_TOKEN} bytes a token"
    counted = _counted(samples, tokenizer)
    exact = sampled == size
    how = "the model's tokenizer" if exact else f"an estimate: the model's tokenizer on {len(samples)} rows"
    return round(size * counted / sampled), how


def _counted(samples: Sequence[str], tokenizer: Path) -> int:
    try:
        # Not every image that fetches data contains it.
        loaded = importlib.import_module("tokenizers").Tokenizer.from_file(str(tokenizer))
    except Exception as error:  # the library raises Exception itself
        raise ValueError(f"{tokenizer} is not a tokenizer: {error}") from error
    return sum(len(encoded.ids) for encoded in loaded.encode_batch(list(samples), add_special_tokens=False))
