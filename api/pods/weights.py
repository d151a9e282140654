"""Where a model's weights are inside a pod, and the marker file by which fetch signals serve that they are complete.

Standard library only: the fetch image holds no pydantic.
"""

from pathlib import PurePosixPath
from typing import Final

FETCH_PORT: Final = 5002
WEIGHTS_ROOT: Final = "/weights"
COMPLETE_MARKER: Final = ".complete"
"""The file, inside the folder of a revision, that the fetcher writes last."""


def weights_path(revision: str) -> str:
    """Folder, inside the pod, for the weights of one commit of a model."""
    return str(PurePosixPath(WEIGHTS_ROOT) / revision)
