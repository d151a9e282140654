"""Values about metrics: who reads them, which alerts they raise, which dashboards show them.

The alerts themselves are in the chart's `files`, the dashboards in `dashboards/`.
"""

from typing import Literal

from pydantic import Field

from deploy.chart_values.group import Group


class PodMonitors(Group):
    """Metrics for the Prometheus operator."""

    enabled: bool = False
    """Whether there is a PodMonitor for each process. The cluster needs their CRD."""
    api_version: Literal["monitoring.coreos.com/v1", "azmonitoring.coreos.com/v1"] = "monitoring.coreos.com/v1"
    """`azmonitoring.coreos.com/v1` for Azure's managed Prometheus."""
    interval: str = Field(default="30s", pattern=r"^[0-9]+(s|m)$")
    """How often metrics are read."""
    labels: dict[str, str] = Field(default_factory=dict)
    """Labels by which a Prometheus finds its PodMonitors."""
    models: bool = False
    """Whether the pods of Workspaces are read, too: vLLM's metrics, fetches, trainings. They lie in their users'
    namespaces, whose NetworkPolicies must let Prometheus in."""
    model_namespaces: list[str] = Field(default_factory=list)
    """Namespaces whose Workspaces are read; empty means all."""


class Alerts(Group):
    """Alerting rules for Prometheus, which docs/alerts.md explains one by one. They need the PodMonitors, or a scrape
    configuration that sets the same labels."""

    enabled: bool = False
    """Whether the rules are in the cluster."""
    form: Literal["PrometheusRule", "ConfigMap"] = "PrometheusRule"
    """PrometheusRule for the Prometheus operator, whose CRD the cluster needs; ConfigMap (`modelyard-alerts`, key
    `modelyard.rules.yaml`) for a Prometheus without it, which mounts it."""
    labels: dict[str, str] = Field(default_factory=dict)
    """Labels by which a Prometheus finds its rules."""
    runbooks: str = "docs/alerts.md"
    """Where people read docs/alerts.md: the annotation `runbook_url` of each alert is this address with `#` and the
    alert's name."""


class Dashboards(Group):
    """Dashboards for Grafana, each a ConfigMap."""

    enabled: bool = False
    """Whether they are in the cluster."""
    labels: dict[str, str] = Field(default={"grafana_dashboard": "1"})
    """Labels by which Grafana's sidecar finds them."""
    annotations: dict[str, str] = Field(default_factory=dict)
    """Annotations, such as the one by which the sidecar chooses a folder."""
