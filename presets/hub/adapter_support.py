"""Decides whether vLLM can serve LoRA adapters with a model, by its model class. Pure.

Admission (for models of the catalogue) and the planner (for all models) call this.
"""

from presets.hub.model import architectures
from presets.models.catalog import Model


def refusal(model: Model) -> str | None:
    """Returns why adapters cannot be served with this model; None if they can, or if its class is unknown."""
    if model.architecture not in architectures().without_adapters:
        return None
    return (
        f"vLLM does not support LoRA adapters for this model: {model.repo} is a {model.architecture}; "
        "serve it without adapters"
    )
