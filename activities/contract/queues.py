"""The task queues, one per scarce resource, and which worker identity polls them.

`workspaces` and `waits` belong to the identity with pod rights, `cloud` to the one with cloud rights; neither has both.
"""

from typing import Final

WORKSPACES: Final = "workspaces"
"""Workflow tasks and quick Kubernetes calls."""

WAITS: Final = "waits"
"""Hundreds of cheap heartbeating waits."""

CLOUD: Final = "cloud"
"""Azure Resource Manager, rate-limited for the whole queue by the server."""

ALL: Final = (WORKSPACES, WAITS, CLOUD)

CLOUD_STARTS_PER_SECOND: Final = 20.0
"""ARM throttles writes per subscription with a token bucket that refills at 10 a second for writes and 25 for reads
(Microsoft, "Understand how Azure Resource Manager throttles requests"); an activity of ours is one or two of them."""
