"""The examples that users copy: the list of files, and the Workspaces in them."""

from pathlib import Path
from typing import Any, Final

import yaml

from deploy.local.demo.demo import EXAMPLES

FILES: Final = sorted(EXAMPLES.glob("*.yaml"))


def workspaces_in(file: Path) -> list[dict[str, Any]]:
    """Returns the file's Workspaces as objects, in order."""
    return [document for document in yaml.safe_load_all(file.read_text()) if document["kind"] == "Workspace"]
