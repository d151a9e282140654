"""About how many tokens one pass over the data is: measured on samples where there is a tokenizer, else estimated.

Either way it is said how. What a chat template adds is left out: it is the model's, and small.
"""

import importlib
import importlib.util
from collections.abc import Sequence
from pathlib import Path
from typing import Final

BYTES_PER_TOKEN: Final = 4
"""Of English text, with the vocabularies of today's models; other languages and code have fewer bytes a token."""


def tokens_of(size: int, samples: Sequence[str], tokenizer: Path | None) -> tuple[int, str]:
    """Tokens of `size` bytes of text, and how they were counted. Raises ValueError for a tokenizer that is none."""
    sampled = sum(len(sample.encode(errors="replace")) for sample in samples)
    if tokenizer is None or not sampled or importlib.util.find_spec("tokenizers") is None:
        return round(size / BYTES_PER_TOKEN), f"an estimate: {BYTES_PER_TOKEN} bytes a token"
    counted = _counted(samples, tokenizer)
    exact = sampled == size
    how = "the model's tokenizer" if exact else f"an estimate: the model's tokenizer on {len(samples)} rows"
    return round(size * counted / sampled), how


def _counted(samples: Sequence[str], tokenizer: Path) -> int:
    try:
        # Not every image that fetches data holds it.
        loaded = importlib.import_module("tokenizers").Tokenizer.from_file(str(tokenizer))
    except Exception as error:  # the library raises Exception itself
        raise ValueError(f"{tokenizer} is no tokenizer: {error}") from error
    return sum(len(encoded.ids) for encoded in loaded.encode_batch(list(samples), add_special_tokens=False))
