"""Values about Temporal: a server that is there, or one in the cluster for trials."""

from typing import Annotated

from pydantic import Field

from deploy.chart_values.group import Group
from deploy.chart_values.images import OthersImage
from deploy.chart_values.pods import Resources, sized
from worker.capacity import Capacity

SecretName = Annotated[str, Field(pattern=r"^([a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?)?$")]


class Tls(Group):
    """Encryption between the processes and Temporal."""

    enabled: bool = False
    """Whether Temporal is reached by TLS; Temporal Cloud always is."""
    client_certificate_secret: SecretName = ""
    """Secret with `tls.crt` and `tls.key`, by which the processes identify themselves (mutual TLS)."""
    server_ca_secret: SecretName = ""
    """Secret whose `ca.crt` has signed the server's certificate; empty means the public authorities."""
    server_name: str = ""
    """Name in the server's certificate, where it is not the address."""


class ApiKey(Group):
    """An API key, as Temporal Cloud gives it."""

    secret: SecretName = ""
    """Secret that holds the key; empty means none."""
    key: str = Field(default="api-key", pattern=r"^[-._a-zA-Z0-9]+$")
    """Which of the Secret's entries it is."""


class PayloadKeys(Group):
    """Keys by which everything is encrypted that Temporal keeps of Workspaces, except names and search attributes."""

    secret: SecretName = ""
    """Secret that holds them, as docs/temporal.md explains; empty means that nothing is encrypted. All Workspaces are
    lost to Modelyard without it: keep a copy."""
    key: str = Field(default="keys", pattern=r"^[-._a-zA-Z0-9]+$")
    """Which of the Secret's entries it is."""


class Workers(Group):
    """How workers take their work from Temporal."""

    versioning: bool = True
    """Whether workers are versioned: while an upgrade or a rollback rolls on, Workspaces move over once and for all,
    instead of going to older and newer workers by turns. Without effect where Temporal has no worker deployments."""
    version: str = Field(default="", pattern=r"^([A-Za-z0-9][A-Za-z0-9._+-]{0,127})?$")
    """Their version; empty means the tag of the image `controlPlane`, with the beginning of its digest."""
    capacity: Capacity = Capacity()
    """How many tasks a pod takes at once."""


class EmbeddedServer(Group):
    """One pod of Temporal's development server, with SQLite on a volume. For trials: it is one pod, without backups."""

    image: OthersImage = OthersImage(registry="docker.io", repository="temporalio/temporal", tag="1.9.1")
    """Temporal's command line, which has the server in it."""
    storage: str = Field(default="8Gi", pattern=r"^[0-9]+(Mi|Gi|Ti)$")
    """Size of its volume."""
    storage_class: str = ""
    """StorageClass of its volume; empty means the cluster's default."""
    resources: Resources = sized("200m", "512Mi", most_cpu="2", most_memory="2Gi")
    """Of its pod."""


class Temporal(Group):
    """How to reach Temporal."""

    address: str = Field(default="", pattern=r"^([A-Za-z0-9.-]+:[0-9]{1,5})?$")
    """Host and port of the frontend. Required unless `temporal.embedded`."""
    namespace: str = Field(default="default", min_length=2)
    """Temporal's namespace. It and its search attributes exist beforehand."""
    tls: Tls = Tls()
    """Encryption and mutual TLS."""
    api_key: ApiKey = ApiKey()
    """Needs `temporal.tls.enabled`."""
    payload_keys: PayloadKeys = PayloadKeys()
    """Encryption of what Temporal keeps."""
    workers: Workers = Workers()
    """Versions and capacity."""
    embedded: bool = False
    """Whether a Temporal for trials runs in the cluster, instead of one at `temporal.address`."""
    embedded_server: EmbeddedServer = EmbeddedServer()
    """That Temporal."""
