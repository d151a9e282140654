"""What a training's data is short of stands in the status, in bounded lines, before anything is bought."""

from datetime import UTC, datetime

from activities.contract.tuning import DataFound
from tests.builders import a_key
from workflows.state import WorkspaceState
from workflows.status.content import WARNING_MAX, WARNINGS_SHOWN, status_document

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def shown(*warnings: str) -> object:
    state = WorkspaceState(key=a_key("uid-1"))
    state.resources.run.data = DataFound(digest="d", rows=2, usable=2, warnings=list(warnings))
    return status_document(state, NOW)["data"].get("warnings")


def test_what_cannot_be_learnt_of_the_data_is_in_the_status() -> None:
    assert shown() is None
    assert shown("the chat template does not render thoughts") == ["the chat template does not render thoughts"]


def test_a_pod_cannot_fill_the_status() -> None:
    found = shown(*["a\nb" * 1000] * 50)
    assert isinstance(found, list) and len(found) == WARNINGS_SHOWN
    assert all(len(one) <= WARNING_MAX and "\n" not in one for one in found)
