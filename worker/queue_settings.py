"""Settings of every worker, whatever it polls, read once from the environment (prefix MODELYARD_)."""

from importlib.metadata import PackageNotFoundError, version

from pydantic import Field

from process.settings import ProcessSettings
from worker.capacity import Capacity


def installed_version() -> str:
    """Returns the version of the installed package; `unreleased` where it runs from its sources alone."""
    try:
        return version("modelyard")
    except PackageNotFoundError:
        return "unreleased"


class QueueSettings(ProcessSettings):
    """How a worker polls, and as which version."""

    worker_versioning: bool = True
    """Whether workers are versioned where Temporal has worker deployments."""
    worker_version: str = Field(default_factory=installed_version, pattern=r"^[A-Za-z0-9][A-Za-z0-9._+-]{0,127}$")
    """Their version, such as the image's tag: other code, other version."""
    worker_capacity: Capacity = Capacity()
    """JSON, for example MODELYARD_WORKER_CAPACITY='{"pollers": "autoscaling", "polls": 20}'."""
