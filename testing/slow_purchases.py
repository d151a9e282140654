"""Purchases of a local stack's ARM that take long enough for something else to happen meanwhile."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from deploy.local.azure.control_client import Address, ControlClient
from deploy.local.layout import Layout
from testing.deadlines import PATIENCE_S

POLL_S = 0.2


def arm(stack: Layout) -> ControlClient:
    """The stack's ARM, as tests look at it and change it."""
    return ControlClient(Address.of_instance(stack.instance))


@contextmanager
def slow_purchases(stack: Layout, seconds: float) -> Iterator[None]:
    """ARM takes so long for each node pool in this block."""
    usual = arm(stack).state()["settings"]["create_seconds"]
    arm(stack).change_settings(create_seconds=seconds)
    try:
        yield
    finally:
        arm(stack).change_settings(create_seconds=usual)


def await_purchase(stack: Layout) -> None:
    """Until ARM makes a node pool. Raises AssertionError when none is asked for in time."""
    ends = time.monotonic() + PATIENCE_S
    while not [each for each in arm(stack).state()["operations"].values() if each["status"] == "InProgress"]:
        assert time.monotonic() < ends, "no node was bought for the Workspace"
        time.sleep(POLL_S)


def pools_of_workspaces(stack: Layout) -> list[str]:
    """Names of the node pools that are there beside the cluster's own."""
    return [name for name in arm(stack).state()["pools"] if name != "system"]
