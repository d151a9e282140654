"""Of documents that are nearly the same only what differs is written, and the whole comes back."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import JsonValue

from activities.contract.differences import changed, differences

LEAVES = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=4)
KEYS = st.sampled_from(["a", "b", "a/b", "~", "~1", ""])
DOCUMENTS = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3), max_leaves=8
)


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        pytest.param({"a": 1, "b": 2}, {"a": 1, "b": 3}, {"/b": 3}, id="a field"),
        pytest.param({"a": {"b/c": 1}}, {"a": {"b/c": None}}, {"/a/b~1c": None}, id="a field below"),
        pytest.param({"a": ["x", "y"]}, {"a": ["x", "z"]}, {"/a/1": "z"}, id="an entry"),
        pytest.param({"a": ["x"]}, {"a": []}, {"/a": []}, id="another length"),
        pytest.param({"a": {"b": 1}}, {"a": {"c": 1}}, {"/a": {"c": 1}}, id="other keys"),
        pytest.param({"a": 1}, {"b": 1}, {"": {"b": 1}}, id="all of it"),
        pytest.param({"a": 1}, {"a": True}, {"/a": True}, id="equal to Python, and not to JSON"),
        pytest.param({"a": [1, {}]}, {"a": [1, {}]}, {}, id="nothing"),
    ],
)
def test_only_differences_are_returned(first: Any, second: Any, expected: dict[str, JsonValue]) -> None:
    assert json.dumps(differences(first, second)) == json.dumps(expected)


@given(DOCUMENTS, DOCUMENTS)
def test_the_second_document_comes_back(first: Any, second: Any) -> None:
    before = json.dumps(first)
    assert json.dumps(changed(first, differences(first, second)), sort_keys=True) == json.dumps(second, sort_keys=True)
    assert json.dumps(first) == before, "the first one stays as it is"
