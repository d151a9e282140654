"""Looks up the model and the machine that a document names in the catalogue."""

from typing import Final

from api.validation.checks.sections import is_model_name
from api.validation.document import Part
from presets.machines.skus import Sku, UnknownSku, find_sku
from presets.models.catalog import Model, UnknownModel, find_model

NAME_MAX: Final = 64
"""Characters of a VM size's name; Azure's longest has 31. A longer name is not compared with the known ones."""


def known_model(preset: Part) -> Model | None:
    """The catalogue's model of this preset; None if it has none, as for most Hugging Face repositories."""
    name = preset["name"].text.strip()
    try:
        return find_model(name) if is_model_name(name) else None
    except UnknownModel:
        return None


def untunable(model: Model) -> str:
    """What is said of a model that has no modules for an adapter."""
    message = "does not support tuning: no modules for an adapter are known"
    if model.quantization:
        message += f", because its weights are quantized ({model.quantization})"
    return f"{message}. Use for instance phi-3-mini-4k-instruct"


def known_sku(name: str) -> Sku | None:
    """The machine of this name, None when the table has none."""
    try:
        return find_sku(name) if name.strip() and len(name) <= NAME_MAX else None
    except UnknownSku:
        return None


def slice_gib(profile: str) -> int | None:
    """Size of a MIG slice in GiB, as its profile says: 10 for 1g.10gb. None if the text is not a profile."""
    digits = profile.partition("gb")[0].rpartition(".")[2]
    return int(digits) if "gb" in profile and digits.isdecimal() and len(digits) < 4 else None
