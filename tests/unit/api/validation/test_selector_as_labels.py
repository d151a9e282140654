"""A selector that admission accepts is honoured: the labels that are judged are the labels that nodes are given."""

from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from api.resource.workspace import Workspace
from api.validation import problems_on_create
from api.validation.checks.selectors import as_labels
from api.validation.document import Part
from tests.unit.api.validation.conftest import Builder

_KEYS = st.sampled_from(["apps", "gpu", "example.com/pool", "kaito.sh/workspace"])
_VALUES = st.sampled_from(["a", "b", ""])
_EXPRESSIONS = st.fixed_dictionaries(
    {"key": _KEYS, "operator": st.sampled_from(["In", "In", "In", "NotIn", "Exists"])},
    optional={"values": st.lists(_VALUES, max_size=2)},
)
_SELECTORS = st.fixed_dictionaries(
    {},
    optional={"matchLabels": st.dictionaries(_KEYS, _VALUES), "matchExpressions": st.lists(_EXPRESSIONS, max_size=3)},
)


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(selector=_SELECTORS)
def test_the_checked_labels_are_those_of_the_nodes(selector: dict[str, Any], build: Builder) -> None:
    document = build.serving({"resource.labelSelector": selector})
    labels = as_labels(Part("", selector))
    refused = {problem.rule for problem in problems_on_create(document)}
    assert (labels is None) == ("C12" in refused)
    if labels is not None:
        spec = Workspace.parse(document).resource
        assert spec is not None and spec.match_labels == labels


def test_an_expression_of_one_value_is_a_label(build: Builder) -> None:
    selector = {"matchLabels": {"a": "b"}, "matchExpressions": [{"key": "zone", "operator": "In", "values": ["1"]}]}
    workspace = Workspace.parse(build.serving({"resource.labelSelector": selector}))
    assert workspace.match_labels == {"a": "b", "zone": "1"}
