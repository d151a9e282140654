"""adapters.json: the configuration of the container that fetches a model's LoRA adapters.

`activities` builds it and puts it into a ConfigMap; `runtime.adapters` reads it. Fields are only ever added, with
defaults. `adapter_records.py` has the record written beside each adapter.
"""

from typing import Final

from pydantic import BaseModel, ConfigDict, Field

from api.pods.adapter_records import ADAPTERS_ROOT
from api.pods.registries import RegistryAccess

ADAPTERS_CONFIG_PATH: Final = "/etc/modelyard/adapters.json"
ADAPTER_VOLUMES: Final = "/mnt/adapter"
"""Where volumes with adapters are mounted, each under its adapter's name; KAITO's place."""
PULL_SECRETS: Final = "/pull-secrets"


class AdapterSource(BaseModel):
    """One adapter and where it comes from: an image, or without one the volume that is mounted under its name."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    name: str
    image: str | None = Field(None, description="An OCI image with the adapter's two files below /data.")
    strength: float = Field(1.0, ge=0, le=1, description="Scales what the adapter adds to the model.")


class AdaptersConfig(BaseModel):
    """Everything `runtime.adapters` needs to know."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    model: str = Field(description="The model that is served, organisation/name.")
    adapters: tuple[AdapterSource, ...]
    folder: str = Field(ADAPTERS_ROOT, description="Receives a folder for each adapter, under its name.")
    volumes: str = ADAPTER_VOLUMES
    registry: RegistryAccess = Field(default_factory=lambda: RegistryAccess())
    max_bytes: int = Field(20 * 2**30, ge=1, description="A larger adapter is refused.")
    max_files: int = Field(1000, ge=1)
    stall_s: float = Field(60, gt=0, description="Seconds without a byte: a stall.")
    attempts: int = Field(5, ge=1, description="Tries of each layer before giving up.")
    pause_s: float = Field(2, gt=0, description="Seconds before the second try; doubled before each further one.")


def request_of(source: AdapterSource) -> str:
    """The text that identifies the adapter's content."""
    return source.model_dump_json()
