"""Which refusals an API server gives only because it has just started, and which of a pod's answers pass."""

import json

import pytest
from kubernetes.aio.client.exceptions import ApiException

from activities.clients.api_server.responses import is_of_a_starting_server
from activities.serving.completions import is_passing


def a_status(code: int, **details: str) -> str:
    return json.dumps({"kind": "Status", "reason": "whatever", "details": details, "code": code})


@pytest.mark.parametrize(
    ("status", "body", "starting"),
    [
        pytest.param(403, a_status(403, kind="nodes"), True, id="roles are not known yet"),
        pytest.param(404, "404 page not found\n", True, id="path is not served yet"),
        pytest.param(404, a_status(404), True, id="path is not served yet, as a Status"),
        pytest.param(
            404, a_status(404, name="w", group="kaito.sh", kind="workspaces"), False, id="object is not there"
        ),
        pytest.param(409, a_status(409, name="w"), False, id="conflict"),
        pytest.param(422, a_status(422), False, id="patch does not apply"),
        pytest.param(503, "", False, id="unavailable by its own word"),
    ],
)
def test_a_refusal_is_final_unless_a_starting_server_may_send_it(status: int, body: str, starting: bool) -> None:
    assert is_of_a_starting_server(ApiException(status=status, body=body)) is starting


@pytest.mark.parametrize(
    ("status", "passing"), [(0, True), (429, True), (502, True), (503, True), (504, True), (400, False), (500, False)]
)
def test_a_completion_is_requested_again_when_only_the_connection_to_the_pod_fails(status: int, passing: bool) -> None:
    assert is_passing(status) is passing
