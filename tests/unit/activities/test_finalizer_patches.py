"""The JSON patch that removes our finalizer leaves everybody else's alone."""

from typing import Any

import pytest

from activities.workspaces import removing_finalizer
from api.labels import WORKSPACE_FINALIZER as OURS

PATH = "/metadata/finalizers"


@pytest.mark.parametrize(
    ("present", "patch"),
    [
        pytest.param(None, [], id="none"),
        pytest.param(["other"], [], id="another's"),
        pytest.param(["other", OURS], [("test", f"{PATH}/1", OURS), ("remove", f"{PATH}/1", None)], id="ours second"),
    ],
)
def test_removing_takes_ours_only(present: list[str] | None, patch: list[tuple[str, str, Any]]) -> None:
    assert as_tuples(removing_finalizer({"finalizers": present})) == patch


def as_tuples(operations: list[dict[str, Any]]) -> list[tuple[str, str, Any]]:
    return [(operation["op"], operation["path"], operation.get("value")) for operation in operations]
