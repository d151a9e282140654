"""The payloads of activities about a model's weights.

The rules of `payloads.py` hold here.
"""

from activities.contract.payloads import Payload, WorkspaceKey


class ModelRequest(Payload):
    """Which model to resolve, and the Secret in the Workspace's namespace that holds its HF_TOKEN, if any."""

    workspace: WorkspaceKey
    model: str
    revision: str
    access_secret: str = ""


class PinnedModel(Payload):
    """A model at one commit. `weight_bytes` counts only the files that are fetched."""

    model: str
    revision: str
    weight_bytes: int
