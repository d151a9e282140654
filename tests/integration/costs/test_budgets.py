"""One Workspace's life, an edit, an hourly look and some idle seconds stay within the budgets; counts only, no times.

The stack is whole: API server, Temporal's server, the ARM emulator, our own processes; machines and pods are simulated.
"""

from collections.abc import Iterator
from typing import Final

import pytest

from bench.lives.budgets import BUDGETS, exceeded
from bench.lives.life import Cost, measured
from testing.api_calls import POLICY
from testing.leftovers import settled_leftovers
from testing.stack import Stack, keep_logs, running
from testing.workspaces import connected
from tests.lanes import instance_of_this_lane

LIVES: Final = 3
# A life takes a minute on an idle machine, most of it waiting for rest.
WITHIN_S: Final = 1800


@pytest.fixture(scope="module")
def stack(request: pytest.FixtureRequest) -> Iterator[Stack]:
    with running(instance_of_this_lane(), audit=POLICY) as started:
        yield started
        if request.session.testsfailed:
            keep_logs(started.layout)


@pytest.mark.timeout(WITHIN_S)
async def test_a_life_an_edit_an_idle_hour_stay_within_their_budgets(stack: Stack) -> None:
    """The least of a few lives counts, and one is enough if it keeps to them: a busy machine adds looks and repeats to
    one, a step more is in each."""
    least: dict[str, float] = {}
    text = ""
    async with connected(stack.layout) as workspaces:
        for number in range(LIVES):
            costs = await measured(stack, workspaces, f"counted-{number}")
            figures = {name: value for stage, cost in costs.items() for name, value in cost.figures(stage).items()}
            least = {name: min(value, least.get(name, value)) for name, value in figures.items()}
            text += f"\nlife {number}:\n{told(costs)}"
            if not exceeded(least):
                break
        assert set(least) == set(BUDGETS)
        assert not exceeded(least), f"{exceeded(least)}; bench/lives/budgets.py has the limits{text}"
        assert await settled_leftovers(stack, workspaces) == {}


def told(costs: dict[str, Cost]) -> str:
    """Everything that was counted, a line each."""
    lines = [
        f"{name} {value:g} of at most {BUDGETS[name].limit:g}: {cost.told(stage)[name]}"
        for stage, cost in costs.items()
        for name, value in cost.figures(stage).items()
    ]
    return "\n".join(lines)
