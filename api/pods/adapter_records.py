"""Defines where a model's adapters are in its pod, and the record beside each adapter that is ready.

`runtime.adapters` writes the record last; `runtime.serve` waits for it. Fields are only ever added, with defaults.
"""

from pathlib import PurePosixPath
from typing import Final

from pydantic import BaseModel, ConfigDict, Field

ADAPTERS_ROOT: Final = "/adapters"
ADAPTER_READY: Final = ".ready"


class AdapterRecord(BaseModel):
    """The record of an adapter that is complete and ready to serve."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    name: str
    rank: int = Field(ge=1, description="The highest of its ranks.")
    base_model: str = Field("", description="What the adapter says it was trained on.")
    origin: str = Field("", description="The image's digest; empty for a volume.")
    strength: float = 1.0
    asked: str = Field("", description="request_of() of what was asked for; another request is carried out anew.")


def adapter_folder(name: str, root: str = ADAPTERS_ROOT) -> str:
    """Where an adapter of this name is served from."""
    return str(PurePosixPath(root) / name)
