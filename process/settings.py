"""Every setting of the control plane's processes, read once from the environment (prefix MODELYARD_) at start.

Which process needs which is told by the classes; what a value means is in docs/operations.md.
"""

from typing import Annotated

from pydantic import BeforeValidator
from pydantic_settings import BaseSettings, SettingsConfigDict

from api.providers import Provider
from api.validation.document import PROVISIONERS


def _in_our_words(word: object) -> object:
    return PROVISIONERS.get(word, word) if isinstance(word, str) else word


InstalledProvider = Annotated[Provider, BeforeValidator(_in_our_words)]
"""aks, karpenter or byo, or KAITO's word for one of them."""


class TemporalSettings(BaseSettings):
    """How to reach Temporal."""

    model_config = SettingsConfigDict(env_prefix="MODELYARD_", frozen=True, extra="ignore")

    temporal_address: str = "127.0.0.1:7233"
    temporal_namespace: str = "default"


class ProcessSettings(TemporalSettings):
    """What every process has: Temporal, the cluster, and where its metrics are scraped."""

    kubeconfig: str | None = None
    metrics_address: str = "127.0.0.1:0"
    system_namespace: str = "modelyard-system"
    """Where our own objects live, the watcher's Lease for one."""
