"""The chart is upgraded to a later release and rolled back, while Workspaces serve and one trains.

Both releases are this checkout with changed code (`testing/releases`), one after the other: the first knows two changes
of the workflow that no replay survives without their patches and begins neither, the second begins both; the CRD and
the rights of the second have something more. Every live Workspace is carried out by the workers of both and goes on.

Nobody who is served may notice: no request fails, no pod of a Workspace restarts, nothing is bought, the training goes
on; Workspaces are admitted all the while.
"""

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import pytest

from deploy.local.azure.control_client import Address, ControlClient
from deploy.local.cluster.kubectl import kubectl
from deploy.local.demo import demo
from deploy.local.host.commands import run_logged
from deploy.local.images.contents import CONTROL_PLANE
from deploy.local.images.images import layout_of
from deploy.local.images.push import Registry
from deploy.local.kubernetes.helm import ensure_helm
from deploy.local.layout import Layout
from deploy.local.services.chart import CHART, RELEASE, ensure_chart, helm_argv, helm_environment
from deploy.local.services.pods import read_pods
from deploy.local.stack.choices import recall
from testing.releases import workspaces
from testing.releases.charts import Installed, installed, write_chart
from testing.releases.images import AFTER_NEXT, NEXT, write_image
from testing.releases.later import LOOK, LOOKING, NOTE, PATCHES
from testing.releases.moving import all_runs, move
from testing.releases.runs import Run, builds_of
from testing.releases.workspaces import SERVED, TRAINED
from testing.steady_load import Count, steady_load

pytestmark = pytest.mark.timeout(3600)

TRAINED_S: Final = 2400
PAUSE_S: Final = 0.2
HELM_S: Final = 600
DELETE_S: Final = 240
ALL: Final = (*SERVED, TRAINED)


@dataclass
class Seen:
    """What an upgrade and a rollback did to everybody; lists have what there was before, between, and after."""

    counts: Mapping[str, Count]
    images: list[set[str]] = field(default_factory=list)
    charts: list[Installed] = field(default_factory=list)
    pods: list[dict[str, tuple[str, int]]] = field(default_factory=list)
    bought: list[int] = field(default_factory=list)
    steps: list[int] = field(default_factory=list)
    runs: Mapping[str, Sequence[Run]] = field(default_factory=dict)


def told(at: float, line: str) -> None:
    print(f"[{at:6.1f}s] {line}")


def push_releases(stack: Layout, folder: Path) -> None:
    built = layout_of(stack, CONTROL_PLANE)
    assert built is not None
    for release in (NEXT, AFTER_NEXT):
        layout = write_image(built, release, folder / release.tag)
        Registry(stack.registry, CONTROL_PLANE.repository).push(layout, [release.tag])


def helm(stack: Layout, *arguments: str) -> None:
    log = stack.logs / "chart.log"
    program = ensure_helm(stack.cache, log, lambda words: None)
    argv = [*helm_argv(stack, program, *arguments), "--wait", "--timeout", f"{HELM_S}s"]
    run_logged(argv, log, deadline_s=HELM_S + 30, env=helm_environment(stack))


def upgrade(chart: Path, tag: str) -> tuple[str, ...]:
    return ("upgrade", RELEASE, str(chart), "--reuse-values", "--set", f"image.controlPlane.tag={tag}")


def control_plane_images(stack: Layout) -> set[str]:
    """What the pods run that are there to stay."""
    statuses = [status for pod in read_pods(stack.admin_kubeconfig) for status in pod["status"]["containerStatuses"]]
    return {status["imageID"].rpartition("@")[2] for status in statuses}


@pytest.fixture(scope="module")
def living(stack: Layout, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Layout]:
    """Three Workspaces that serve and one that trains, all begun under the next release."""
    if not (choices := recall(stack.instance)) or not choices.pods:
        pytest.skip("this Kubernetes is too old for the chart")
    push_releases(stack, tmp_path_factory.mktemp("releases"))
    try:
        helm(stack, *upgrade(CHART, NEXT.tag))
        targets = [demo.apply_example(stack.admin_kubeconfig, file) for file in workspaces.serving(stack)]
        for target in targets:
            demo.follow(target, told)
        demo.apply_example(stack.admin_kubeconfig, workspaces.training(stack))
        workspaces.await_step(stack, 1)
        yield stack
        kubectl(stack.admin_kubeconfig, "delete", "workspace", "--all", deadline_s=DELETE_S)
    finally:
        ensure_chart(stack, stack.logs / "chart.log", print)  # for the tests that follow


@pytest.fixture(scope="module")
def seen(living: Layout, tmp_path_factory: pytest.TempPathFactory) -> Seen:
    stack, took = living, []
    arm = ControlClient(Address.of_instance(stack.instance))
    chart = write_chart(tmp_path_factory.mktemp("charts") / "chart")

    def look() -> None:
        found.images.append(control_plane_images(stack))
        found.charts.append(installed(stack.admin_kubeconfig))
        found.pods.append(workspaces.pods(stack))
        found.bought.append(arm.calls()["PUT agentPool"])
        found.steps.append(workspaces.await_step(stack, found.steps[-1] + 1 if found.steps else 1))

    with steady_load(workspaces.questions(stack), PAUSE_S) as counts:
        found = Seen(counts)
        look()
        for command, release in ((upgrade(chart, AFTER_NEXT.tag), AFTER_NEXT), (("rollback", RELEASE), NEXT)):
            began = time.monotonic()
            helm(stack, *command)
            took.append(round(time.monotonic() - began, 1))
            move(stack, resting=SERVED, busy=[TRAINED], build=release.tag)
            look()
    found.runs = all_runs(stack, ALL)
    print(f"rollouts took {took} s; training at steps {found.steps}")
    print({name: (count.answered, count.failed) for name, count in counts.items()})
    print({name: [(run.builds, run.begun) for run in runs] for name, runs in found.runs.items()})
    return found


def test_the_control_plane_was_another_one_and_is_the_first_again(seen: Seen) -> None:
    first, second, third = seen.images
    assert len(first) == len(second) == 1
    assert first != second and third == first


def test_the_definition_and_the_rights_were_those_of_the_release(seen: Seen) -> None:
    first, second, third = seen.charts
    assert second.rule and set(second.fields.values()) == {True}
    assert not first.rule and set(first.fields.values()) == {False}
    assert first.version != second.version and third == first


def test_no_request_failed(seen: Seen) -> None:
    assert {name: count.failed for name, count in seen.counts.items() if count.failed} == {}
    assert all(count.answered > 0 for count in seen.counts.values())


def test_no_pod_was_replaced_or_restarted_and_nothing_was_bought(seen: Seen) -> None:
    before, _, after = seen.pods
    assert {name: after.get(name) for name in before} == before
    assert {restarts for _, restarts in before.values()} == {0}
    assert len(set(seen.bought)) == 1


@pytest.mark.parametrize("name", ALL)
def test_workers_of_both_releases_carried_the_workspace_out_and_no_task_failed(seen: Seen, name: str) -> None:
    assert builds_of(seen.runs[name]) == [NEXT.tag, AFTER_NEXT.tag, NEXT.tag]
    assert [fault for run in seen.runs[name] for fault in run.faults] == []


@pytest.mark.parametrize("name", ALL)
def test_the_later_release_alone_began_with_its_changes(seen: Seen, name: str) -> None:
    begun = {(patch, build) for run in seen.runs[name] for patch, build in run.begun.items() if patch in PATCHES}
    # A training is one run, which had made its step before the upgrade.
    assert begun == {(patch, AFTER_NEXT.tag) for patch in ([NOTE] if name == TRAINED else [LOOK, NOTE])}


@pytest.mark.parametrize("name", SERVED)
def test_what_began_under_the_later_release_looks_and_what_began_after_the_rollback_does_not(
    seen: Seen, name: str
) -> None:
    [later] = [run for run in seen.runs[name] if run.builds[0] == AFTER_NEXT.tag]
    last = seen.runs[name][-1]
    assert (LOOKING, AFTER_NEXT.tag) in later.asked
    assert last.builds == [NEXT.tag] and LOOKING not in [summary for summary, _ in last.asked]


def test_the_training_goes_on_to_its_end(seen: Seen, living: Layout) -> None:
    target = demo.Target(living.admin_kubeconfig, "default", TRAINED)
    demo.follow(target, told, deadline_s=TRAINED_S)
    found = workspaces.progress(living)
    assert (found["phase"], found["attempts"], found["step"]) == ("complete", 1, found["totalSteps"])
    assert found["stepsTrained"] == found["totalSteps"]
