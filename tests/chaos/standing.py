"""Brings Workspaces to a stand in each of the eleven steps at once, so that one fault can strike all of them there.

What holds each step also happens in production: a hub that does not answer (Size, PrepareModel), a throttled or slow
cloud (Preflight, ProvisionNodes, ReleaseNodes), somebody else's slow admission webhook (Deploy, Forget), GPUs that are
offered late, pods that load or end slowly, a completion that takes long. `let_go` ends what does not end by itself.
"""

import asyncio
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final

from api import names
from api.resource.status import Step
from testing.faults.holding import HANGING, LONG_S, RUNNING_AT, release
from testing.faults.processes import frozen
from testing.faults.slow_admission import SlowAdmission
from testing.model_repositories import HUB_MODEL
from testing.pods.rules import AnswerRule, PodRule, PodRules
from testing.stack import Stack
from testing.workspaces import PRESET, Workspaces, workspace
from tests.chaos.judging import Injection

ARRIVING: Final = (
    Step.SIZE,
    Step.PREFLIGHT,
    Step.PROVISION_NODES,
    Step.AWAIT_NODES,
    Step.PREPARE_MODEL,
    Step.DEPLOY,
    Step.AWAIT_SERVING,
    Step.VERIFY,
)
LEAVING: Final = (Step.UNDEPLOY, Step.RELEASE_NODES, Step.FORGET)
STEPS: Final = (*ARRIVING, *LEAVING)
ACTIVITY: Final[Mapping[str, str]] = RUNNING_AT | {
    Step.SIZE: "build_plan",
    Step.PREPARE_MODEL: "read_model_revision",
    Step.DEPLOY: "ensure_workload",
    Step.UNDEPLOY: "delete_workload",
    Step.RELEASE_NODES: "delete_node_pool",
    Step.FORGET: "delete_finalizer",
}
PRESETS: Final[Mapping[str, str]] = {Step.SIZE: HUB_MODEL, Step.VERIFY: HANGING}
# The order of getting them there: what ARM lets go by itself after SLOW_S comes late, what a frozen hub holds last.
TIMED: Final = (Step.PROVISION_NODES, Step.RELEASE_NODES)
AT_THE_HUB: Final = (Step.SIZE, Step.PREPARE_MODEL)
SLOW_S: Final = 15.0
WITHIN_S: Final = 120.0
LOOK_S: Final = 0.2


@dataclass(frozen=True)
class Scene:
    """Where injections happen."""

    stack: Stack
    workspaces: Workspaces
    admission: SlowAdmission


@dataclass(frozen=True)
class Stand:
    """A Workspace that stands in the step of its injection."""

    injection: Injection
    name: str
    uid: str

    @property
    def pool(self) -> str:
        return names.pool_name(self.uid)


def name_of(injection: Injection) -> str:
    """`worker-cluster-killed-awaitnodes`; the step at the end is what the pod rules go by."""
    return f"{injection.fault.lower().replace(' ', '-')}-{injection.step.lower()}"


@asynccontextmanager
async def standing(scene: Scene, injections: Sequence[Injection]) -> AsyncIterator[list[Stand]]:
    """All of them stand in their steps when the block begins. After it the hub answers; `let_go` does the rest."""
    at = {step: [one for one in injections if one.step == step] for step in STEPS}
    uids: dict[str, str] = {}
    hold_pods(scene)
    scene.admission.hold(deploying=map(name_of, at[Step.DEPLOY]), forgetting=map(name_of, at[Step.FORGET]))
    uids |= await _ready(scene, [one for step in LEAVING for one in at[step]])
    untimed = [step for step in STEPS if step not in (*TIMED, *AT_THE_HUB)]
    uids |= await _bring(scene, [one for step in untimed for one in at[step]], uids)
    uids |= await _bring(scene, [one for step in TIMED for one in at[step]], uids)
    async with frozen(scene.stack, "mirror"):
        uids |= await _bring(scene, [one for step in AT_THE_HUB for one in at[step]], uids)
        await until_standing(scene, injections, within_s=0)
        yield [Stand(one, name_of(one), uids[name_of(one)]) for one in injections]


async def let_go(scene: Scene) -> None:
    """Ends everything that holds Workspaces, except for faults that were injected."""
    for fault in await asyncio.to_thread(scene.stack.arm.faults):
        if fault["kind"] == "throttled" and fault["times"] is None:
            await asyncio.to_thread(scene.stack.arm.clear_faults, fault["id"])
    scene.admission.release()
    await release(scene.stack, scene.workspaces)


def hold_pods(scene: Scene) -> None:
    """Pods that load for ever, pods that do not end, completions that do not come."""
    loading = PodRule(workspace=f"*-{Step.AWAIT_SERVING.lower()}", ready_seconds=LONG_S)
    ending = PodRule(workspace=f"*-{Step.UNDEPLOY.lower()}", gone_seconds=LONG_S)
    scene.stack.set_pods(PodRules(pods=[loading, ending], answers=[AnswerRule(model=HANGING, seconds=LONG_S)]))


async def until_standing(scene: Scene, injections: Collection[Injection], within_s: float) -> None:
    """Until the workflow of each waits for the activity of its step. Raises TimeoutError that names the others."""
    deadline = asyncio.get_running_loop().time() + within_s
    while True:
        pending = await asyncio.gather(*(scene.workspaces.pending_activities(name_of(one)) for one in injections))
        missing = [
            f"{name_of(one)}: {sorted(found)}"
            for one, found in zip(injections, pending, strict=True)
            if ACTIVITY[one.step] not in found
        ]
        if not missing:
            return
        if asyncio.get_running_loop().time() >= deadline:
            raise TimeoutError(f"not in their steps after {within_s:g} s: {', '.join(missing)}")
        await asyncio.sleep(LOOK_S)


async def _ready(scene: Scene, injections: Sequence[Injection]) -> dict[str, str]:
    uids = await scene.workspaces.create(*(_body(one) for one in injections))
    if uids:
        await scene.workspaces.until_ready(*uids, within_s=WITHIN_S)
    return uids


async def _bring(scene: Scene, injections: Sequence[Injection], known: Mapping[str, str]) -> dict[str, str]:
    """Creates those that arrive and deletes those that leave; returns the new uids when all stand in their steps."""
    arriving = [one for one in injections if one.step in ARRIVING]
    async with frozen(scene.stack, "watcher"):  # nobody may see them before what holds them is set
        uids = await scene.workspaces.create(*(_body(one) for one in arriving))
        pools = {one: names.pool_name({**known, **uids}[name_of(one)]) for one in injections}
        await asyncio.to_thread(_hold_at_arm, scene.stack, pools)
    await scene.workspaces.delete(*(name_of(one) for one in injections if one.step in LEAVING))
    await until_standing(scene, injections, WITHIN_S)
    return uids


def _hold_at_arm(stack: Stack, pools: Mapping[Injection, str]) -> None:
    faults: dict[str, dict[str, Any]] = {
        # Waited out as told, twice, which is all the time that one attempt has; a check that ends without an answer
        # would let the Workspace go on.
        Step.PREFLIGHT: {"kind": "throttled", "method": "GET", "route": "agentPool", "seconds": 30},
        Step.PROVISION_NODES: {"kind": "slow-operation", "method": "PUT", "seconds": SLOW_S, "times": 1},
        Step.AWAIT_NODES: {"kind": "node-without-gpu", "times": 1},
        Step.RELEASE_NODES: {"kind": "slow-operation", "method": "DELETE", "seconds": SLOW_S, "times": 1},
    }
    for injection, pool in pools.items():
        if injection.step in faults:
            stack.arm.add_fault(pool=pool, **faults[injection.step])


def _body(injection: Injection) -> dict[str, Any]:
    return workspace(name_of(injection), preset=PRESETS.get(injection.step, PRESET))
