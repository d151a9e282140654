"""Settings of the webhook process, read once from the environment (prefix MODELYARD_) at start."""

from datetime import timedelta
from pathlib import Path
from typing import Self

from pydantic import Field, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from admin.webhook.certificates.bundle import Lifetimes
from process.installed_provider import InstalledProvider


class WebhookSettings(BaseSettings):
    """Durations are ISO 8601, such as P90D or PT12H."""

    model_config = SettingsConfigDict(env_prefix="MODELYARD_", frozen=True, extra="ignore")

    kubeconfig: str | None = None
    system_namespace: str = "modelyard-system"
    provider: InstalledProvider = "aks"
    """Node provider; some rules depend on it."""
    allowed_hosts: list[str] = []
    """JSON: internal hosts from which a Workspace's data is allowed; all other internal addresses are rejected."""
    remote_code_allowed: bool = False
    """Whether Workspaces may run code of their model's repository in its pods."""

    webhook_address: str = "0.0.0.0:8443"
    """Address for the API server's requests, over TLS."""
    metrics_address: str = "127.0.0.1:0"
    """Address of health and metrics, plain HTTP."""
    stop_delay: float = Field(default=0.0, ge=0, le=20)
    """Seconds for which requests are answered after SIGTERM: behind a Service, until nobody is sent here any more."""
    webhook_service: str = "modelyard-webhook"
    """The Service in front of the replicas, in the system namespace."""
    webhook_hosts: list[str] = []
    """JSON: names and addresses besides those of the Service, for API servers configured with a URL."""
    webhook_configuration: str = "modelyard"
    """Name of the ValidatingWebhookConfiguration that must trust this webhook."""
    webhook_secret: str = "modelyard-webhook-certificates"
    """Name of the Secret with the certificates shared by the replicas."""
    webhook_certificate_folder: Path | None = None
    """Folder with the tls.crt and tls.key to serve, which others keep current; empty means that the process makes its
    own certificates and has the API server trust them."""
    webhook_authority_lifetime: timedelta = Field(default=timedelta(days=730), gt=timedelta(0))
    webhook_certificate_lifetime: timedelta = Field(default=timedelta(days=90), gt=timedelta(0))
    webhook_check_interval: float = Field(default=30.0, gt=0)
    """Seconds between reads of Secret and configuration, or of the folder; a new authority is trusted this long before
    it signs."""

    @model_validator(mode="after")
    def _lifetimes_go_together(self) -> Self:
        _ = self.lifetimes
        return self

    @property
    def hosts(self) -> list[str]:
        """Names in the certificate; the API server connects to a Service as `<service>.<namespace>.svc`."""
        service = f"{self.webhook_service}.{self.system_namespace}"
        return [f"{service}.svc", f"{service}.svc.cluster.local", service, *self.webhook_hosts]

    @property
    def lifetimes(self) -> Lifetimes:
        """Raises ValueError if the lifetimes contradict each other."""
        return Lifetimes(self.webhook_authority_lifetime, self.webhook_certificate_lifetime)
