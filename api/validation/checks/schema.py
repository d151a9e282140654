"""Shapes and types: reports offline what the CRD's schema refuses, in the file's terms.

Uses the models that the CRD is generated from, so the two cannot diverge.
"""

from typing import Any, Final

from api.resource.invalid import InvalidWorkspace
from api.resource.workspace import Workspace
from api.validation.document import Draft
from api.validation.problem import Problem

RULE: Final = "S1"


def schema_problems(draft: Draft) -> list[Problem]:
    """Every wrong type, unknown field, missing field and value outside its enumeration."""
    # The author does not write the status.
    document = {key: value for key, value in draft.root.mapping.items() if key != "status"}
    try:
        Workspace.parse(_named(document))
    except InvalidWorkspace as error:
        return [Problem(RULE, path.rstrip("."), message) for path, message in error.errors]
    return []


def _named(document: dict[str, Any]) -> dict[str, Any]:
    """With the name that the API server would give it where only generateName is there."""
    metadata = document.get("metadata")
    if isinstance(metadata, dict) and "name" not in metadata and isinstance(metadata.get("generateName"), str):
        return document | {"metadata": metadata | {"name": metadata["generateName"]}}
    return document
