"""Values about images: one registry for all, and a repository, a tag or a digest for each."""

from typing import Annotated, Literal

from pydantic import Field

from deploy.chart_values.group import Group
from deploy.local.images.contents import DATA, FETCH, RUNTIME, TUNE, Device

Registry = Annotated[str, Field(pattern=r"^([A-Za-z0-9.-]+(:[0-9]+)?(/[a-z0-9._-]+)*)?$")]
Repository = Annotated[str, Field(pattern=r"^[a-z0-9]+([._/-]+[a-z0-9]+)*$")]
Tag = Annotated[str, Field(pattern=r"^([A-Za-z0-9_][A-Za-z0-9._-]{0,127})?$")]
Digest = Annotated[str, Field(pattern=r"^(sha256:[0-9a-f]{64})?$")]


class Image(Group):
    """An image of Modelyard's own, in `image.registry`."""

    repository: Repository
    """Its path in the registry."""
    tag: Tag = ""
    """Its tag, never `latest`; empty means the chart's appVersion, of runtime and tune with `-` and the device."""
    digest: Digest = ""
    """`sha256:...`; taken instead of the tag where it is given."""


class OthersImage(Group):
    """An image that others publish."""

    registry: Registry
    """Where it is published; not used with `image.mirrored`."""
    repository: Repository
    """Its path in the registry."""
    tag: Tag
    """Its tag, never `latest`."""
    digest: Digest = ""
    """`sha256:...`; taken instead of the tag where it is given."""


class Images(Group):
    """Where images come from."""

    registry: Registry = ""
    """Registry of Modelyard's own images, which you build and push: host, port, path. Required."""
    mirrored: bool = False
    """Whether the registry also holds the images of others (device plugin, embedded Temporal), under the same
    repositories: then nothing is pulled from anywhere else."""
    pull_policy: Literal["IfNotPresent", "Always", "Never"] = "IfNotPresent"
    """When nodes pull images of this chart."""
    pull_secrets: list[str] = Field(default_factory=list)
    """Names of Secrets that hold credentials for the registry, in the chart's namespace and, with
    `devicePlugin.enabled`, in that of the plugin."""
    device: Device = "cuda"
    """What models are computed on: `cuda`, or `cpu`. Images of runtime and tune are built for one of them."""
    control_plane: Image = Image(repository="modelyard/control-plane")
    """Watcher, workers, admin, webhook."""
    runtime: Image = Image(repository=RUNTIME.repository)
    """What serves models."""
    fetch: Image = Image(repository=FETCH.repository)
    """What fetches weights."""
    tune: Image = Image(repository=TUNE.repository)
    """What trains."""
    data: Image = Image(repository=DATA.repository)
    """What fetches data, publishes and brings adapters."""
