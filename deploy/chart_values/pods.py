"""Values about pods: how many, how large, and where they may run; one group for each process."""

from typing import Annotated, Any, Literal

from pydantic import Field

from deploy.chart_values.group import Group

Cpu = Annotated[str, Field(pattern=r"^[0-9]+(\.[0-9]+)?m?$")]
Memory = Annotated[str, Field(pattern=r"^[0-9]+(Mi|Gi)$")]
Host = Annotated[str, Field(pattern=r"^([A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?|([0-9A-Fa-f]*:){2}[0-9A-Fa-f:.]*)$")]


class Amounts(Group):
    """An amount of each resource."""

    cpu: Cpu
    """CPUs, or thousandths with `m`."""
    memory: Memory
    """Memory in Mi or Gi."""


class Resources(Group):
    """Of one container."""

    requests: Amounts
    """What is kept free for it; on AKS Automatic at least 100m and 100Mi."""
    limits: Amounts
    """What it may use at most."""


class Autoscaling(Group):
    """A HorizontalPodAutoscaler by CPU."""

    enabled: bool = False
    """Whether `replicas` is only the least number."""
    max_replicas: int = Field(default=6, ge=1)
    """The largest number of pods."""
    cpu_percent: int = Field(default=70, ge=1, le=100)
    """Use of the requested CPU that is aimed at."""


class SecretMount(Group):
    """A Secret of the chart's namespace as a folder of files, renewed when it changes."""

    secret: str = Field(pattern=r"^[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?$")
    """Its name."""
    path: str = Field(pattern=r"^/[^:]+$")
    """The folder."""


class Process(Group):
    """One of Modelyard's processes."""

    replicas: int = Field(default=2, ge=1)
    """How many pods."""
    resources: Resources
    """Of each pod."""
    autoscaling: Autoscaling = Autoscaling()
    """More pods where the CPU asks for them, for which the cluster needs metrics-server. Refused for the watcher, of
    which one leads and the others wait."""
    service_account_annotations: dict[str, str] = Field(default_factory=dict)
    """Annotations of its ServiceAccount."""
    pod_annotations: dict[str, str] = Field(default_factory=dict)
    """Annotations of its pods."""
    node_selector: dict[str, str] = Field(default_factory=dict)
    """Labels of the nodes that it may run on, beside `kubernetes.io/os: linux`."""
    tolerations: list[dict[str, Any]] = Field(default_factory=list)
    """Taints that it tolerates, as in a pod."""
    priority_class_name: str = ""
    """PriorityClass of its pods."""
    environment: dict[str, str] = Field(default_factory=dict)
    """Further environment variables, such as `HTTPS_PROXY`. Anybody who reads pods can see them: no secrets."""
    secret_mounts: list[SecretMount] = Field(default_factory=list)
    """Secrets as folders of files, each with `secret` and `path`: for what environment variables name, such as the
    certificate of a proxy."""


class CloudProcess(Process):
    """The worker that buys node pools, with the cloud's identity."""

    enabled: bool | None = None
    """Whether it runs; empty means only where `provider` is aks."""


class Issuer(Group):
    """An issuer of cert-manager's."""

    name: str = ""
    """Its name."""
    kind: str = "ClusterIssuer"
    """Its kind: ClusterIssuer, or Issuer in the chart's namespace."""
    group: str = "cert-manager.io"
    """Its API group."""


class AdminCertificate(Group):
    """The admin API's certificate."""

    source: Literal["own", "cert-manager", "secret"] = "own"
    """Who makes it: each pod for itself (nothing is sent in the clear, and nobody can check whom he asks, which a
    port-forward does), cert-manager, or you."""
    issuer: Issuer = Issuer()
    """With source cert-manager."""
    secret: str = Field(default="", pattern=r"^([a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?)?$")
    """With source secret: a Secret with `tls.crt` and `tls.key`, for `modelyard-admin.NAMESPACE.svc` and `hosts`."""


class Admin(Process):
    """HTTP for people."""

    hosts: list[Host] = Field(default_factory=list)
    """Names and addresses by which it may be asked, beside its Service's and `localhost`; without scheme and port."""
    audiences: list[str] = Field(default_factory=list)
    """Audiences of which a token must have one; empty means the API server's own. With one of its own, a token that
    people send here opens nothing else."""
    certificate: AdminCertificate = AdminCertificate()
    """By which people know it."""


class Certificate(Group):
    """The webhook's certificate."""

    source: Literal["own", "cert-manager", "secret"] = "own"
    """Who makes it: the webhook's pods themselves (they need nobody, and renew it), cert-manager, or you."""
    issuer: Issuer = Issuer()
    """With source cert-manager."""
    secret: str = Field(default="", pattern=r"^([a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?)?$")
    """With source secret: a Secret with `tls.crt` and `tls.key`, for `modelyard-webhook.NAMESPACE.svc`."""
    ca_bundle: str = Field(default="", pattern=r"^[A-Za-z0-9+/=]*$")
    """With source secret: what has signed it, as PEM in base64."""


class Webhook(Process):
    """The admission webhook."""

    enabled: bool = True
    """Whether Workspaces are judged when they are written; without it, only when the workflow reads them."""
    certificate: Certificate = Certificate()
    """By which the API server knows it."""


def sized(cpu: str, memory: str, *, most_cpu: str, most_memory: str) -> Resources:
    """Returns requests and limits."""
    return Resources(requests=Amounts(cpu=cpu, memory=memory), limits=Amounts(cpu=most_cpu, memory=most_memory))
