"""A Workspace that cannot be carried out says why and what to change, and nothing is bought for it.

There is no admission webhook here: these are the cases that get past it, or reach a cluster without one.
"""

from collections.abc import Mapping
from typing import Any

import pytest

from testing.leftovers import pools
from testing.stack import Stack
from testing.workspaces import Workspaces, condition, is_failed, status_of, workspace

Body = dict[str, Any]


def changed(name: str, **sections: Any) -> Body:
    """A good Workspace with some sections replaced; None takes one away."""
    body = workspace(name) | sections
    return {key: value for key, value in body.items() if value is not None}


TUNING = {"preset": {"name": "phi-2"}, "input": {"urls": ["http://x/y"]}, "output": {"image": "r/i:t"}}
WITH_CONFIG = {"preset": {"name": "phi-2"}, "config": "not-there"}
# name: (Workspace, reason, what the message tells the user)
CASES: Mapping[str, tuple[Body, str, tuple[str, ...]]] = {
    "no-such-preset": (workspace("no-such-preset", preset="phi-9000"), "PresetUnknown", ("phi-9000",)),
    "preset-mistyped": (
        workspace("preset-mistyped", preset="phi3-mini-4k-instruct"),
        "PresetUnknown",
        ("did you mean",),
    ),
    "no-such-sku": (
        workspace("no-such-sku", instance_type="Standard_NC24ads_A100_v9"),
        "InstanceTypeUnknown",
        ("Standard_NC24ads_A100_v9",),
    ),
    "neither-section": (
        changed("neither-section", inference=None),
        "SectionMissing",
        ("must be specified, not neither",),
    ),
    "both-sections": (changed("both-sections", tuning=TUNING), "SectionMissing", ("must be specified, but not both",)),
    "no-config-map": (changed("no-config-map", inference=WITH_CONFIG), "ConfigNotFound", ("not-there",)),
    "gated-model": (
        workspace("gated-model", preset="llama-3.1-8b-instruct"),
        "ModelGated",
        ("modelAccessSecret",),
    ),
    "too-large": (
        workspace("too-large", preset="phi-4", instance_type="Standard_NC4as_T4_v3"),
        "DoesNotFit",
        ("one node", "Standard_NC24ads_A100_v4"),
    ),
    "not-at-the-hub": (workspace("not-at-the-hub", preset="falcon-7b"), "ModelNotFound", ("tiiuae/falcon-7b",)),
}


async def test_what_cannot_be_carried_out_is_refused_with_a_reason_and_buys_nothing(
    stack: Stack, workspaces: Workspaces, subtests: pytest.Subtests
) -> None:
    await workspaces.create(*(body for body, _, _ in CASES.values()))
    found = await workspaces.until(CASES, is_failed)
    for name, (_, reason, words) in CASES.items():
        with subtests.test(name):
            told = condition(found[name], "WorkspaceSucceeded")
            assert (told["status"], told["reason"]) == ("False", reason)
            assert all(word in told["message"] for word in words), told["message"]
            assert status_of(found[name])["reason"] == reason
    assert pools(stack) == []
    assert "PUT agentPool" not in stack.arm.calls()


async def test_a_corrected_workspace_becomes_ready(stack: Stack, workspaces: Workspaces) -> None:
    await workspaces.create(workspace("mended", preset="phi-9000"))
    await workspaces.until(["mended"], is_failed)
    correction = [{"op": "replace", "path": "/inference/preset/name", "value": "phi-2"}]
    await workspaces.cluster.patch("Workspace", "mended", "default", correction)
    await workspaces.until_ready("mended")


async def test_a_refused_edit_leaves_what_serves_alone(stack: Stack, workspaces: Workspaces) -> None:
    await workspaces.create(workspace("kept"))
    await workspaces.until_ready("kept")
    (pool,) = pools(stack)
    edit = [{"op": "replace", "path": "/inference/preset/name", "value": "phi-9000"}]
    await workspaces.cluster.patch("Workspace", "kept", "default", edit)
    found = await workspaces.until(["kept"], lambda one: status_of(one).get("reason") == "PresetUnknown")
    assert status_of(found["kept"])["phase"] == "Ready"
    assert pools(stack) == [pool]
