"""Values about NetworkPolicies: who reaches Modelyard's pods and those of models, and what these reach.

They hold where the cluster's network enforces them. A metadata address gives the node's identity to whoever asks it, so
nothing reaches one unless it is said here.
"""

from typing import Annotated, Any, Final

from pydantic import Field

from deploy.chart_values.group import Group

Port = Annotated[int, Field(ge=1, le=65535)]
Peers = list[dict[str, Any]]
Namespace = Annotated[str, Field(pattern=r"^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$")]
SYSTEM: Final[dict[str, Any]] = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "kube-system"}}}


class Egress(Group):
    """What Modelyard's processes may reach, beside DNS, the API server and Temporal."""

    api_server_ports: list[Port] = Field(default=[443, 6443])
    """Ports of the API server itself, not of its Service: on AKS 443."""
    ports: list[Port] = Field(default=[443])
    """Ports of Azure, registries and the hub of models, for the workers. A registry on another port needs it here."""
    to: Peers = Field(default_factory=list)
    """NetworkPolicy peers that have them; empty means everything but the metadata addresses."""
    metadata: bool = False
    """Whether the cloud worker may reach 169.254.169.254: for a node's identity. Workload identity needs no such
    thing."""


class Models(Group):
    """Pods of Workspaces: model servers and the Jobs of trainings."""

    namespaces: list[Namespace] = Field(default_factory=list)
    """Namespaces that get a policy for them, beside those of the value `namespaces`. They must exist."""
    clients_from: Peers = Field(default_factory=list)
    """NetworkPolicy peers that may use models, on port 5000; empty means everybody."""
    to: Peers = Field(default_factory=list)
    """NetworkPolicy peers that the pods may reach, beside DNS; empty means everything but the metadata addresses."""


class NetworkPolicies(Group):
    """Who may reach whom."""

    enabled: bool = False
    """Whether there are any. The webhook's port stays open, because the API server is no pod."""
    admin_from: Peers = Field(default_factory=list)
    """NetworkPolicy peers that may use the admin API. A port-forward comes from the node and always may."""
    metrics_from: Peers = Field(default_factory=list)
    """NetworkPolicy peers that may read health and metrics, of pods of models too. Kubelets always may."""
    api_server_from: Peers = Field(default=[SYSTEM])
    """NetworkPolicy peers from which the API server asks pods: konnectivity's, as on AKS, or the addresses of the
    control plane's nodes as `ipBlock`."""
    egress: Egress = Egress()
    """From Modelyard's pods."""
    models: Models = Models()
    """From and to pods of Workspaces."""
