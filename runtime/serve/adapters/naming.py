"""Reads how vLLM's class of a model names the model's parts, as far as the class itself says.

Which adapter fits is decided by `places.py`. Imports the class: 1 to 3 s, only for models with adapters.
"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from vllm.model_executor.models import ModelRegistry
from vllm.model_executor.models.interfaces import supports_multimodal

from runtime.serve.adapters.places import Naming

_OF_THE_LIBRARY: Final = "Transformers"
"""How vLLM's classes begin that serve a model through the transformers library; they find names while they load."""


def naming_of(folder: Path) -> Naming | None:
    """Returns the naming of the model in `folder`; None where the class does not say it, or is not to be had."""
    try:
        config = json.loads((folder / "config.json").read_bytes())
        known = [name for name in config.get("architectures") or [] if name in ModelRegistry.models]
        model = ModelRegistry.models[known[0]].load_model_cls() if known else None
    except (OSError, ValueError, ImportError):
        # vLLM will say what is wrong with it.
        return None
    if model is None or model.__name__.startswith(_OF_THE_LIBRARY):
        return None
    # A model that also sees or hears has a language model inside, and it is that one's class that says which.
    embeddings = None if supports_multimodal(model) else frozenset(getattr(model, "embedding_modules", None) or {})
    return Naming(
        renamed=_renamed(getattr(model, "hf_to_vllm_mapper", None)),
        packed=getattr(model, "packed_modules_mapping", None) or {},
        embeddings=embeddings,
    )


def _renamed(mapper: Any) -> Callable[[str], str]:
    """The class's renaming of files' names, as vLLM applies it to adapters: without stacking parts into one."""
    if mapper is None:
        return str
    renames = mapper.get_rename_mapper()
    return lambda name: renames._map_name(name) or name
