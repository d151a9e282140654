"""Where a model's weights are inside a pod, and the marker file by which fetch signals serve that they are complete.

Standard library only: the fetch image holds no pydantic.
"""

from pathlib import PurePosixPath
from typing import Final

FETCH_PORT: Final = 5002
WEIGHTS_ROOT: Final = "/weights"
COMPLETE_MARKER: Final = ".complete"
"""The file, inside the folder of a revision, that the fetcher writes last."""


LOCAL_WEIGHTS: Final = "/opt/kaito/models"
"""Where nodes have weights of their own: KAITO's folder for `kaito.sh/use-local-weights`."""


def local_weights_path(model: str) -> str:
    """Folder of the node for the weights of a Hugging Face repository, as KAITO names it."""
    return str(PurePosixPath(LOCAL_WEIGHTS) / model.lower().replace("/", "-").replace("\\", "-"))


def weights_path(revision: str) -> str:
    """Folder, inside the pod, for the weights of one commit of a model."""
    return str(PurePosixPath(WEIGHTS_ROOT) / revision)
