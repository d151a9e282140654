"""What one scan finds, and what two scans confirm."""

from hypothesis import given
from hypothesis import strategies as st

from activities.contract.payloads import WorkspaceKey
from activities.contract.sweep import Inventory, OwnedResource, RunningWorkflows, WorkspaceList, WorkspaceRef
from workflows.sweep.orphans import Findings, confirmed, findings

KEYS = [WorkspaceKey(namespace="a", name=name, uid=f"{name}-{age}") for name in "xyz" for age in "12"]
SOME = st.sets(st.sampled_from(range(len(KEYS)))).map(lambda picked: [KEYS[index] for index in sorted(picked)])


def scan(paid: list[WorkspaceKey], alive: list[WorkspaceKey], runs: list[WorkspaceKey]) -> Findings:
    things = [OwnedResource(kind="node_pool", name=f"ws{key.uid}", workspace=key) for key in paid]
    return findings(
        Inventory(things=things),
        WorkspaceList(workspaces=[WorkspaceRef(key=key) for key in alive]),
        RunningWorkflows(workspaces=runs),
    )


@given(SOME, SOME, SOME)
def test_nothing_of_a_living_or_attended_workspace_is_ever_an_orphan(
    paid: list[WorkspaceKey], alive: list[WorkspaceKey], runs: list[WorkspaceKey]
) -> None:
    found = scan(paid, alive, runs)
    orphans = [thing.workspace for thing in found.orphans]
    assert orphans == [key for key in paid if key not in alive and key not in runs]


@given(SOME, SOME, SOME)
def test_a_consistent_inventory_has_no_findings(
    paid: list[WorkspaceKey], alive: list[WorkspaceKey], runs: list[WorkspaceKey]
) -> None:
    everyone = sorted({*paid, *alive, *runs}, key=lambda key: key.uid)
    assert not scan(paid, everyone, everyone)


def test_only_what_both_scans_found_counts() -> None:
    first, second = scan(KEYS[:2], [], []), scan(KEYS[1:3], [], [])
    assert [thing.workspace for thing in confirmed(first, second).orphans] == [KEYS[1]]


def test_a_successor_does_not_protect_the_pool_of_its_predecessor() -> None:
    old, new = KEYS[0], KEYS[1]
    assert [thing.workspace for thing in scan([old], [new], []).orphans] == [old]
    assert [thing.workspace for thing in scan([old], [new], [new]).orphans] == [old]
    assert not scan([old], [new], [old]).orphans
