"""Settings that the control plane's processes share, read once from the environment (prefix MODELYARD_) at start.

Each process has its own subclass; docs/operations.md explains the values.
"""

from pathlib import Path

from pydantic_settings import BaseSettings, SettingsConfigDict


class TemporalSettings(BaseSettings):
    """How to reach Temporal, over what Temporal's own environment configuration says: docs/temporal.md."""

    model_config = SettingsConfigDict(env_prefix="MODELYARD_", frozen=True, extra="ignore")

    temporal_address: str = ""
    """HOST:PORT; empty means the profile's, or else 127.0.0.1:7233."""
    temporal_namespace: str = ""
    """Empty means the profile's, or else `default`."""
    temporal_api_key_file: Path | None = None
    """A file with the API key and nothing else, read again when it changes."""
    temporal_payload_keys_file: Path | None = None
    """A file of keys, by which payloads are encrypted: docs/temporal.md. Read again when it changes."""
    temporal_envconfig: bool = True
    """Whether Temporal's profiles and TEMPORAL_ variables are read; a local stack does not."""


class ProcessSettings(TemporalSettings):
    """Settings of every process: Temporal, the cluster, and the address of its metrics."""

    kubeconfig: str | None = None
    metrics_address: str = "127.0.0.1:0"
    system_namespace: str = "modelyard-system"
    """Namespace of Modelyard's own objects, such as the watcher's Lease."""
