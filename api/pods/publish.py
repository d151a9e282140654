"""publish.json and its result: the configuration of the pod that publishes an adapter, and its report.

`activities` builds the first and puts it into a ConfigMap; `runtime.publish` reads it and writes the second. What the
image contains is KAITO's contract: /data/adapter_config.json and /data/adapter_model.safetensors.
"""

from typing import Final, Literal

from pydantic import BaseModel, ConfigDict, Field

from api.configs.mounted_paths import RESULTS
from api.pods.registries import RegistryAccess

PUBLISH_PORT: Final = 5004
"""Where /metrics and /healthz answer while the image is pushed."""
PUBLISH_CONFIG_PATH: Final = "/etc/modelyard/publish.json"
RESULT_FILE: Final = "published.json"
MODEL_NAME_ANNOTATION: Final = "sh.kaito.model.name"
ANNOTATIONS: Final = "dev.modelyard."
"""What annotations of ours begin with."""

Phase = Literal["starting", "reading", "pushing", "waiting", "verifying", "complete", "failed"]


class PublishConfig(BaseModel):
    """Everything `runtime.publish` needs to know."""

    model_config = ConfigDict(frozen=True, extra="ignore", protected_namespaces=())

    folder: str = Field(RESULTS, description="Holds the adapter and, when this project trained it, its summary.")
    image: str = Field(description="The reference to push to: host/repository:tag.")
    model_name: str = Field(description=f"The preset; becomes the annotation {MODEL_NAME_ANNOTATION}.")
    registry: RegistryAccess = Field(default_factory=lambda: RegistryAccess())
    created: str | None = Field(None, description="RFC 3339; without it the image says nothing of its age.")
    annotations: dict[str, str] = Field(default_factory=dict, description="More annotations; they win over ours.")
    architecture: str = Field("amd64", description="Of the machines that will pull it; the content fits all.")
    result: str | None = Field(None, description="Where the result goes; without it, into the folder.")
    stall_s: float = Field(60, gt=0, description="Seconds in which the registry takes or gives no byte: a stall.")
    attempts: int = Field(
        3, ge=1, description="Tries of each request; then the status is told and the pod starts anew."
    )
    pause_s: float = Field(2, gt=0, description="Seconds before the second try; doubled before each further one.")
    port: int = Field(PUBLISH_PORT, ge=0, le=65535, description="0 takes any free one.")

    @property
    def result_path(self) -> str:
        return self.result or f"{self.folder}/{RESULT_FILE}"


class Published(BaseModel):
    """The image, read back from the registry."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    image: str = Field(description="The reference that was asked for.")
    digest: str = Field(description="Of the manifest, sha256:...")
    pinned: str = Field(description="The same image by its digest: host/repository@sha256:...")
    bytes: int = Field(description="Of all layers.")
    uploaded: int = Field(description="Bytes of the blobs that the registry did not have yet.")
    seconds: float
    annotations: dict[str, str] = Field(default_factory=dict)
