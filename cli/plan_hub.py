"""Asks a model hub for what the catalogue does not have, for `modelyard plan --hub URL`. The token is HF_TOKEN's."""

import os
from typing import Any, Final

from temporalio.exceptions import ApplicationError

from activities.clients.hub import Hub
from activities.errors.hub import HUB_ERRORS, TOKEN_KEY, hub_failure
from activities.planning.models import DEFAULT_REVISION, REASONS
from api.validation.checks.sections import is_model_name
from api.validation.document import Part
from presets.admission.lookups import known_model
from presets.hub.model import HubProblem, model_from_hub
from presets.models.catalog import Model
from presets.plan.document import Finding

SECTIONS: Final = ("inference", "tuning")


def unlisted_model(workspace: Any) -> tuple[str, str] | None:
    """The repository that a Workspace names and the catalogue does not have, and where it is named; None where there
    is none to ask for."""
    for section in SECTIONS:
        preset = Part("", workspace)[section]["preset"]
        repo = preset["name"].text.strip()
        if "/" in repo and is_model_name(repo) and known_model(preset) is None:
            return repo, preset["name"].path
    return None


def asked_model(endpoint: str, repo: str, path: str) -> Model | Finding:
    """What the hub tells of the repository's main branch, or why it tells nothing; it is named at `path`."""
    token = os.environ.get(TOKEN_KEY) or None
    hub = Hub(endpoint.rstrip("/"), token)
    try:
        commit, gated = hub.commit(repo, DEFAULT_REVISION)
        files = hub.files(repo, commit)
        return model_from_hub(repo, hub.config(repo, commit, files), files, commit, gated=gated)
    except HubProblem as problem:
        return Finding(reason=REASONS[type(problem)], path=path, message=str(problem))
    except ApplicationError as error:
        return _finding(error, path)
    except HUB_ERRORS as error:
        return _finding(hub_failure(error, f"{repo} at {endpoint}", with_token=token is not None), path)


def _finding(error: ApplicationError, path: str) -> Finding:
    return Finding(reason=str(error.type), path=path, message=error.message)
