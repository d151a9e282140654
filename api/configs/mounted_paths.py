"""Validates a user's paths inside our pods: of a training below /mnt and outside the volumes mounted there, of a model
server below the folders of its weights and adapters. Those of KAITO's own image are left out."""

import posixpath
from collections.abc import Mapping
from typing import Final

from pydantic import JsonValue

from api.configs.problem import Problem

ROOT: Final = "/mnt"
DATA: Final = "/mnt/data"
RESULTS: Final = "/mnt/results"
_TAKEN: Final = (DATA, "/mnt/config", "/mnt/adapter", "/mnt/streaming")
SERVED: Final = ("/weights", "/adapters")
"""What a model server has of the user's: the model's repository and the adapters."""

KAITO_TEMPLATES: Final = "/workspace/chat_templates/"
"""Where KAITO's image has chat templates; its guide to tool calls names them by these paths."""
_TEMPLATE_KEY: Final = "chat-template"
_NOT_THERE: Final = (
    "is accepted and not acted on: the file is of KAITO's image. The model's own template is used, and its tool-call-"
    "parser is set; where that is not enough, put the template's text here"
)


def contained(path: str) -> str:
    """Returns the absolute path; a relative one is resolved below /mnt. Raises ValueError if it escapes /mnt."""
    if not path or not path.isprintable():
        raise ValueError(f"must be a path below {ROOT}")
    absolute = posixpath.normpath(posixpath.join(ROOT, path))
    if not absolute.startswith(f"{ROOT}/"):
        raise ValueError(f"must stay below {ROOT}, and {path!r} leads to {absolute}")
    return absolute


def writable(path: str) -> str:
    """Like `contained`; raises ValueError also where the pod's inputs are mounted."""
    absolute = contained(path)
    taken = next((one for one in _TAKEN if absolute == one or absolute.startswith(f"{one}/")), None)
    if taken:
        raise ValueError(f"must not lie in {taken}, where the pod's inputs are; use {RESULTS}")
    return absolute


def served(path: str) -> str:
    """Returns the absolute path. Raises ValueError unless it lies in a folder of a model server (SERVED)."""
    absolute = posixpath.normpath(path)
    if not path.isprintable() or not any(absolute.startswith(f"{root}/") for root in SERVED):
        raise ValueError(f"must lie in {' or '.join(SERVED)}")
    return absolute


def without_kaitos_templates(section: Mapping[str, JsonValue]) -> tuple[Mapping[str, JsonValue], list[Problem]]:
    """The section without paths of KAITO's templates, and a note on each: (key, sentence)."""
    paths = [
        key
        for key, value in section.items()
        if key.strip().lstrip("-").replace("_", "-") == _TEMPLATE_KEY
        and isinstance(value, str)
        and value.strip().startswith(KAITO_TEMPLATES)
        and value.strip().endswith(".jinja")
    ]
    return {key: value for key, value in section.items() if key not in paths}, [(key, _NOT_THERE) for key in paths]
