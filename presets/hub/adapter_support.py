"""Whether adapters can be served beside a model: whether its class in vLLM takes any. Pure.

The rules of admission and the planner ask here: admission knows the catalogue's models only, the planner all.
"""

from presets.hub.model import architectures
from presets.models.catalog import Model


def refusal(model: Model) -> str | None:
    """Why no adapter can be served beside this model; None where one can, and where nothing is known of its class."""
    if model.architecture not in architectures().without_adapters:
        return None
    return (
        f"vLLM does not support LoRA adapters for this model: {model.repo} is a {model.architecture}; "
        "serve it without adapters"
    )
