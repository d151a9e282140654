"""Names are derived from the Workspace, are stable, and keep Kubernetes' and AKS' rules."""

import re
import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api import labels, names

UID = "0b1f2c3d-0000-4000-8000-000000000001"


def test_a_pool_name_is_stable() -> None:
    assert names.pool_name(UID) == names.pool_name(UID) == "wsvaxfmtxpyc"


@given(st.text(min_size=1))
def test_a_pool_name_keeps_the_rules_of_aks_for_any_uid(uid: str) -> None:
    assert re.fullmatch(r"ws[a-z2-7]{10}", names.pool_name(uid))
    assert names.POOL_NAME.fullmatch(names.pool_name(uid))


def test_pool_names_of_many_workspaces_differ() -> None:
    assert len({names.pool_name(str(uuid.UUID(int=number))) for number in range(20_000)}) == 20_000


def test_a_pool_needs_a_uid() -> None:
    with pytest.raises(ValueError, match="UID is empty"):
        names.pool_name("")


def test_a_workflow_id_leads_back_to_its_workspace() -> None:
    assert names.workflow_id("team-a", "phi") == "workspace/team-a/phi"
    assert names.key_of_workflow("workspace/team-a/phi") == ("team-a", "phi")


@pytest.mark.parametrize("other", ["workspace/phi", "sweeper/team-a/phi", "workspace//phi", "workspace/a/b/c", ""])
def test_another_workflow_id_is_refused(other: str) -> None:
    with pytest.raises(ValueError, match="not a Workspace workflow id"):
        names.key_of_workflow(other)


@pytest.mark.parametrize("name", ["a", "phi-3-mini", "x" * names.WORKSPACE_NAME_MAX])
def test_a_good_name_gives_good_names_for_everything_derived(name: str) -> None:
    assert names.workspace_name_problem(name) is None
    derived = [names.workload(name), names.service(name), names.headless_service(name), names.serve_config_map(name),
               names.disruption_budget(name)]  # fmt: skip
    assert all(re.fullmatch(r"[a-z]([-a-z0-9]{0,61}[a-z0-9])?", each) for each in derived)


@pytest.mark.parametrize("name", ["", "3b", "Phi", "phi_3", "phi.3", "-phi", "phi-", "phi\n"])
def test_a_name_that_no_service_can_have_is_refused_with_the_reason(name: str) -> None:
    assert "lower-case letter" in (names.workspace_name_problem(name) or "")


def test_a_name_too_long_for_the_headless_service_is_refused_with_the_limit() -> None:
    problem = names.workspace_name_problem("x" * 55)
    assert problem is not None
    assert "at most 54" in problem


@pytest.mark.parametrize(("name", "good"), [("a", True), ("1-lora", True), ("a.b", False), ("A", False), ("", False),
                                            ("x" * 63, True), ("x" * 64, False)])  # fmt: skip
def test_adapter_names_are_dns_labels(name: str, good: bool) -> None:
    assert (names.adapter_name_problem(name) is None) == good


def test_ownership_labels_are_valid_label_values_for_the_longest_names() -> None:
    stamped = labels.ownership("n" * 63, "w" * names.WORKSPACE_NAME_MAX, UID)
    assert all(len(value) <= 63 for value in stamped.values())
    assert stamped[labels.WORKSPACE_UID] == UID


def test_pool_tags_avoid_the_characters_azure_refuses() -> None:
    assert not [key for key in labels.pool_tags("a", "b", UID) if set(key) & set("<>%&\\?/")]
