"""Whatever is said in whatever order, and whatever fails meanwhile: the newest generation wins, or nothing is left.

Twelve different lives are lived at once, because most of a life is waiting. MODELYARD_LIVES=N looks at N lives that
nobody has seen before; without it they are always the same, so that a failure is never a matter of luck.
"""

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any, Final, cast

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from temporalio import activity
from temporalio.client import Client
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import Replayer

from activities.contract import signatures
from activities.contract.payloads import StatusPatch
from activities.contract.signatures import Signature
from api import names
from testing.workflow_tasks import faults_of
from tests.fakes.truth import Truth
from tests.workflows.conftest import workers
from tests.workflows.lives import ACTIVITIES, LIVES, Life, LifeRun
from worker.plugin import plugin
from workflows.workspace import WorkspaceWorkflow

AT_ONCE: Final = 12
SEARCHING: Final = "MODELYARD_LIVES" in os.environ
FEW: Final = int(os.environ.get("MODELYARD_LIVES", AT_ONCE)) // AT_ONCE
MANY: Final = 36 // AT_ONCE
# All of them: a query of a workflow that is not there any more can break its history, by a fault of the SDK
# (worker/offer_again.py). Every history is replayed in the end.
CACHED: Final = 100
LivesTest = Callable[..., Coroutine[Any, Any, None]]


class Lives:
    """Runs lives side by side; activities find theirs by the workflow that calls them."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._truths: dict[str, Truth] = {}

    def activities(self) -> list[Any]:
        return [self._body(signatures.BY_NAME[name]) for name in ACTIVITIES]

    def _body(self, signature: Signature[Any, Any]) -> Any:
        @activity.defn(name=signature.name)
        async def body(argument: signature.argument) -> signature.result:  # type: ignore[name-defined]  # known when it runs
            return await self._truths[_workflow_of(argument)].carry_out(signature, argument)

        return body

    async def live(self, lives: list[Life]) -> dict[Life, list[str]]:
        """What went wrong, by life; good ones are left out."""
        first = len(self._truths)
        truths = [Truth(f"life-{first + number}") for number in range(len(lives))]
        self._truths |= {f"workspace/default/{truth.name}": truth for truth in truths}
        runs = [LifeRun(life, truth, self._client) for life, truth in zip(lives, truths, strict=True)]
        complaints = await asyncio.gather(*(self._complaints(one) for one in runs))
        return {life: found for life, found in zip(lives, complaints, strict=True) if found}

    async def _complaints(self, run: LifeRun) -> list[str]:
        lived = await run.run()
        return lived + await faults_of(self._client, run.workflow_id) + await self._not_replayed(run.workflow_id)

    async def _not_replayed(self, workflow_id: str) -> list[str]:
        """What a worker would say that has to replay the histories of these runs."""
        replayer = Replayer(workflows=[WorkspaceWorkflow], plugins=[plugin()])
        histories = self._client.list_workflows(f"WorkflowId = '{workflow_id}'").map_histories()
        results = await replayer.replay_workflows(histories, raise_on_replay_failure=False)
        return [f"run {run}: not replayed: {failure}" for run, failure in results.replay_failures.items()]


@pytest.fixture
async def all_lives(live: WorkflowEnvironment) -> AsyncIterator[Lives]:
    lives = Lives(live.client)
    async with workers(live, lives.activities(), CACHED):
        yield lives


def _workflow_of(argument: Any) -> str:
    """A status is written by the writer of the process, anything else by an activity."""
    if isinstance(argument, StatusPatch):
        return names.workflow_id(argument.workspace.namespace, argument.workspace.name)
    called_by = activity.info().workflow_id
    assert called_by is not None, "no activity here is started by a client"
    return called_by


def in_any_order(examples: int, *, searching: bool = False) -> Callable[[LivesTest], LivesTest]:
    """Twelve lives for each example. They differ: else the first example is the simplest life twelve times."""
    judged = settings(
        max_examples=examples,
        derandomize=not searching,
        database=None,
        phases=[Phase.explicit, Phase.generate] + [Phase.shrink] * searching,
        suppress_health_check=list(HealthCheck),
    )
    drawn = given(lives=st.lists(LIVES, min_size=AT_ONCE, max_size=AT_ONCE, unique=True))
    return lambda test: cast(LivesTest, judged(drawn(test)))


@in_any_order(FEW, searching=SEARCHING)
async def test_the_newest_generation_wins_or_nothing_is_left(all_lives: Lives, lives: list[Life]) -> None:
    assert await all_lives.live(lives) == {}


@in_any_order(MANY)
@pytest.mark.timeout(600)
async def test_the_same_holds_in_more_lives(all_lives: Lives, lives: list[Life]) -> None:
    assert await all_lives.live(lives) == {}
