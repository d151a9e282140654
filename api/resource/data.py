"""Models of data sources and destinations: datasets, adapters, tuning results.

Shapes only; admission enforces that exactly one kind of source or destination is given.
"""

from pydantic import Field

from api.resource.nodes import VolumeSource
from api.resource.wire import Written


class DataSource(Written):
    """One place to read data from: urls, volumeSource or image."""

    name: str | None = Field(None, description="Name of the data; an adapter is served under this name.")
    urls: list[str] | None = Field(None, description="http or https links to files.")
    volume_source: VolumeSource | None = Field(None, description="A Kubernetes volume that holds the data.")
    image: str | None = Field(None, description="An OCI image that holds the data below /data.")
    image_pull_secrets: list[str] | None = Field(
        None, description="Names of Secrets in the same namespace for pulling the image."
    )


class DataDestination(Written):
    """One place to write results to: volumeSource or image."""

    volume_source: VolumeSource | None = Field(None, description="A Kubernetes volume that receives the result.")
    image: str | None = Field(None, description="The OCI image reference that the result is pushed to.")
    image_push_secret: str | None = Field(
        None, description="Name of the Secret in the same namespace for pushing the image."
    )
