"""Every setting of the webhook process, read once from the environment (prefix MODELYARD_) at start."""

from datetime import timedelta
from typing import Self

from pydantic import Field, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from admin.webhook.certificates.bundle import Lifetimes
from process.settings import InstalledProvider


class WebhookSettings(BaseSettings):
    """Durations are ISO 8601, such as P90D or PT12H."""

    model_config = SettingsConfigDict(env_prefix="MODELYARD_", frozen=True, extra="ignore")

    kubeconfig: str | None = None
    system_namespace: str = "modelyard-system"
    provider: InstalledProvider = "aks"
    """Where nodes come from; some rules differ."""
    allowed_hosts: list[str] = []
    """Inner hosts, as JSON, that a Workspace's data may come from; all other inner addresses are refused."""

    webhook_address: str = "0.0.0.0:8443"
    """Where the API server's requests arrive, over TLS."""
    metrics_address: str = "127.0.0.1:0"
    """Health and metrics, plain HTTP."""
    webhook_service: str = "modelyard-webhook"
    """The Service in front of the replicas, in the system namespace."""
    webhook_hosts: list[str] = []
    """Names and addresses beside those of the Service, as JSON; for API servers that are given a URL."""
    webhook_configuration: str = "modelyard"
    """The ValidatingWebhookConfiguration that must trust us."""
    webhook_secret: str = "modelyard-webhook-certificates"
    """Where the replicas share their certificates."""
    webhook_authority_lifetime: timedelta = Field(default=timedelta(days=730), gt=timedelta(0))
    webhook_certificate_lifetime: timedelta = Field(default=timedelta(days=90), gt=timedelta(0))
    webhook_check_interval: float = Field(default=30.0, gt=0)
    """Seconds between two looks at Secret and configuration; a new authority is trusted that long before it signs."""

    @model_validator(mode="after")
    def _lifetimes_go_together(self) -> Self:
        _ = self.lifetimes
        return self

    @property
    def hosts(self) -> list[str]:
        """Everything that the certificate is for; the API server asks for a Service by `<service>.<namespace>.svc`."""
        service = f"{self.webhook_service}.{self.system_namespace}"
        return [f"{service}.svc", f"{service}.svc.cluster.local", service, *self.webhook_hosts]

    @property
    def lifetimes(self) -> Lifetimes:
        """Raises ValueError where they do not go together."""
        return Lifetimes(self.webhook_authority_lifetime, self.webhook_certificate_lifetime)
