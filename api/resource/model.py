"""Models of `preset`, `inference` and `tuning`: which model, and its use.

Shapes and defaults only; `presets` and the preflight decide whether a preset exists, fits and can be fetched.
"""

from typing import Literal

from pydantic import Field
from pydantic.config import JsonDict

from api.resource.data import DataDestination, DataSource
from api.resource.nodes import PodTemplate
from api.resource.wire import Written

_DEPRECATED: JsonDict = {"x-modelyard-deprecated-in": "v1beta1"}


class PresetOptions(Written):
    """How the model's weights are reached."""

    image: str | None = Field(
        None, description="Image that holds the weights. Accepted and not acted on.", json_schema_extra=_DEPRECATED
    )
    image_pull_secrets: list[str] | None = Field(
        None, description="Secrets for pulling that image. Accepted and not acted on.", json_schema_extra=_DEPRECATED
    )
    model_access_secret: str | None = Field(
        None, description="Name of a Secret in the same namespace whose key HF_TOKEN may download the model."
    )


class PresetSpec(Written):
    """A model, by the name of a preset or of a Hugging Face repository."""

    name: str = Field(description="A preset's name, or any organisation/model of Hugging Face.")
    access_mode: Literal["public", "private"] = Field(
        "public",
        description="Whether the model image is public. Accepted and not acted on.",
        json_schema_extra=_DEPRECATED,
    )
    preset_options: PresetOptions | None = Field(None, description="How the model's weights are reached.")

    @property
    def access_secret(self) -> str | None:
        """Name of the Secret with HF_TOKEN, when one was given."""
        return (self.preset_options.model_access_secret or None) if self.preset_options else None


class AdapterSpec(Written):
    """One LoRA adapter to serve beside the model."""

    source: DataSource | None = Field(None, description="Where the adapter comes from: an image or a volume.")
    strength: str | None = Field(
        None, description="A number from 0 to 1, written as a string, that scales the adapter."
    )


class InferenceSpec(Written):
    """Serve a model."""

    preset: PresetSpec | None = Field(None, description="The model to serve. Give this or template, not both.")
    template: PodTemplate | None = Field(None, description="Your own pod template, instead of a preset.")
    config: str | None = Field(
        None, description="Name of a ConfigMap in the same namespace with the key inference_config.yaml."
    )
    adapters: list[AdapterSpec] | None = Field(None, description="LoRA adapters to serve beside the model, at most 10.")


class TuningSpec(Written):
    """Train an adapter."""

    preset: PresetSpec | None = Field(None, description="The model to train an adapter for.")
    method: str | None = Field(None, description="lora or qlora.")
    config: str | None = Field(
        None, description="Name of a ConfigMap in the same namespace with the key training_config.yaml."
    )
    input: DataSource = Field(description="The data to train on.")
    output: DataDestination = Field(description="Where the adapter goes.")
