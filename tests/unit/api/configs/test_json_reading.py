"""What is wrong with JSON of others is said as their fault: its depth and its size, too."""

import json
from typing import Any

import pytest
from kubernetes.aio.client.exceptions import ApiException

from activities.clients.api_server.responses import is_of_a_starting_server
from activities.errors.kubernetes import message_of
from activities.nodes.aks.operations import duration_of
from activities.serving.pods import problem_of
from activities.tuning.pods import done, tune_status
from api.configs.json_reading import read_json

DEEP = "[" * 100_000


@pytest.mark.parametrize("text", ['{"a": [1, "b", null]}', "3", '"[,,,"'])
def test_a_value_is_read(text: str) -> None:
    assert read_json(text) == read_json(text.encode()) == json.loads(text)


@pytest.mark.parametrize(
    ("text", "words"),
    [(DEEP, "nested too deep"), ("[1,2,3,4]", "more than 3 values"), ("{", "Expecting"), ("", "Expecting")],
)
def test_what_is_wrong_is_a_value_error(text: str, words: str) -> None:
    for given in (text, text.encode(), bytearray(text.encode())):
        with pytest.raises(ValueError, match=words):
            read_json(given, values_max=3 if "1" in text else 10**6)


def test_a_pod_that_leaves_deep_brackets_is_no_bug_of_ours() -> None:
    ended: dict[str, Any] = {"exitCode": 1, "message": DEEP[:4096]}
    status = {"containerStatuses": [{"name": "serve", "restartCount": 1, "state": {"terminated": ended}}]}
    found = problem_of({"metadata": {"name": "p"}, "status": status})
    assert found and found.reason == "ContainerCrashLoopBackOff"
    assert tune_status(DEEP) is None
    assert done("train", DEEP).trained is not None


def test_servers_that_answer_deep_brackets_are_quoted_as_they_are() -> None:
    error = ApiException(status=404, reason="Not Found", body=DEEP)
    error.body = DEEP
    assert message_of(error) == "Not Found"
    assert is_of_a_starting_server(error)
    assert duration_of(DEEP) is None
