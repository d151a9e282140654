"""What a Workspace is told while something of KAITO's is there: what it is, and the commands that hand it over."""

from activities.preflight.kaito import verdict
from tests.builders import a_plan


def test_nothing_left_passes() -> None:
    assert verdict([], a_plan()).outcome == "passed"


def test_each_thing_is_named_with_its_command() -> None:
    plan = a_plan()
    found = verdict([("StatefulSet", "phi"), ("NodePool", "default-phi"), ("NodeClaim", "ws1")], plan)
    assert (found.outcome, found.reason) == ("failed", "ServedByKaito")
    assert (
        "KAITO's StatefulSet phi, NodePool default-phi, NodeClaim ws1 of this Workspace is left alone" in found.message
    )
    namespace = plan.key.namespace
    for command in (
        f"kubectl delete statefulset phi -n {namespace} --cascade=foreground;",
        "kubectl delete nodepool default-phi;",
        "kubectl delete nodeclaim ws1;",
        f"kubectl annotate workspace {plan.key.name} -n {namespace} modelyard.dev/retry=1 --overwrite",
    ):
        assert command in found.message
