"""Settings of the admin process, read once from the environment (prefix MODELYARD_) at start."""

import ipaddress
from pathlib import Path
from typing import Literal

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from admin.access.pages import LOOPBACK
from process.exit import CannotStart


class AdminSettings(BaseSettings):
    """The API for people and dashboards."""

    model_config = SettingsConfigDict(env_prefix="MODELYARD_", frozen=True, extra="ignore")

    kubeconfig: str | None = None
    system_namespace: str = "modelyard-system"
    admin_address: str = "127.0.0.1:8081"
    """Address of the API: over TLS, except on loopback without a certificate folder."""
    metrics_address: str = "127.0.0.1:0"
    """Address of health and metrics, plain HTTP."""
    admin_authentication: Literal["kubernetes", "none"] = "kubernetes"
    """`none` asks nobody who they are, and is for loopback addresses only."""
    admin_audiences: list[str] = []
    """JSON: audiences of which a token must have one; empty means the API server's own."""
    admin_service: str = "modelyard-admin"
    """The Service in front of the replicas, in the system namespace."""
    admin_hosts: list[str] = []
    """JSON: names and addresses by which the API may be asked, besides those of the Service and loopback."""
    admin_certificate_folder: Path | None = None
    """Folder with the tls.crt and tls.key to serve, which others keep current; empty means a certificate of the process
    itself, for which no authority vouches."""
    stop_delay: float = Field(default=0.0, ge=0, le=20)
    """Seconds for which requests are answered after SIGTERM: behind a Service, until nobody is sent here any more."""

    @property
    def on_loopback(self) -> bool:
        """Whether nobody but this machine reaches the API."""
        host = self.admin_address.rpartition(":")[0].strip("[]")
        try:
            return ipaddress.ip_address(host).is_loopback
        except ValueError:
            return host == "localhost"

    @property
    def plain(self) -> bool:
        """Whether the API is served without TLS."""
        return self.on_loopback and self.admin_certificate_folder is None

    @property
    def names(self) -> list[str]:
        """The names of the Service, and those that are set: what a certificate is for."""
        service = f"{self.admin_service}.{self.system_namespace}"
        given = [host.lower() for host in self.admin_hosts]
        return [f"{service}.svc", f"{service}.svc.cluster.local", service, self.admin_service, *given]

    @property
    def hosts(self) -> frozenset[str]:
        """The Hosts that are answered."""
        return frozenset(self.names) | LOOPBACK

    def check(self) -> None:
        """Raises CannotStart where everybody could do everything."""
        if self.admin_authentication == "none" and not self.on_loopback:
            raise CannotStart(
                f"MODELYARD_ADMIN_AUTHENTICATION is none and MODELYARD_ADMIN_ADDRESS is {self.admin_address}, which "
                "others reach: leave the authentication to Kubernetes, or listen on 127.0.0.1"
            )
