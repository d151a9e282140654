"""`kubectl apply -f` of every file of `examples/`: the API server, its CRD and the webhook accept it."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from deploy.local.layout import Layout
from testing.example_files import FILES, workspaces_in
from testing.kubectl_client import Kubectl
from tests.integration.admission.conftest import Webhook


@pytest.fixture(scope="module", autouse=True)
def serving_webhook(api_server: Layout) -> Iterator[Webhook]:
    """One process for all examples: nothing here stops it or changes its settings."""
    made = Webhook(api_server)
    made.start()
    yield made
    made.stop()


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_an_example_is_applied_as_it_is_written(kubectl: Kubectl, file: Path) -> None:
    kubectl("apply", "-f", str(file), "--warnings-as-errors")
    for given in workspaces_in(file):
        stored = kubectl.workspace(given["metadata"]["name"])
        for section in {"resource", "inference", "tuning"} & given.keys():
            assert kept(given[section], stored[section]) == given[section]
    # Applied again, no Workspace changes: what the server fills in does not contradict the file.
    again = kubectl("apply", "-f", str(file))
    assert all(f"/{given['metadata']['name']} unchanged" in again for given in workspaces_in(file))


def kept(given: Any, stored: Any) -> Any:
    """What is stored of what was given, without the fields that the server filled in."""
    if isinstance(given, dict) and isinstance(stored, dict):
        return {key: kept(value, stored[key]) for key, value in given.items() if key in stored}
    if isinstance(given, list) and isinstance(stored, list) and len(given) == len(stored):
        return [kept(*pair) for pair in zip(given, stored, strict=True)]
    return stored
