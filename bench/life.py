"""How many requests one Workspace's life costs: created, ready, deleted, gone."""

from bench.figures import Figure, tell
from bench.requests import api_server_requests, arm_requests
from tests.harness.stack import Stack
from tests.harness.workspaces import connected, workspace

NAME = "life"


async def measure(stack: Stack) -> None:
    """Prints one figure per server, with the requests by kind in the note."""
    kubernetes, arm = api_server_requests(stack), arm_requests(stack)
    async with connected(stack.layout) as workspaces:
        await workspaces.create(workspace(NAME))
        await workspaces.until_ready(NAME, within_s=120)
        await workspaces.delete(NAME)
        await workspaces.until_gone(NAME, within_s=120)
    for name, spent in (
        ("api_server_requests_per_life", api_server_requests(stack) - kubernetes),
        ("arm_requests_per_life", arm_requests(stack) - arm),
    ):
        note = ", ".join(f"{count} {kind}" for kind, count in sorted(spent.items()))
        tell(Figure(name, spent.total(), "requests", None, note))
