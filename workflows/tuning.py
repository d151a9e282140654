"""Carries out a tuning plan: fetches data, holds nodes for as long as the training runs, then pushes the adapter image.

Progress is recorded in the state (`run`), so that a restarted pass does not fetch, train or push twice. The nodes are
released before the push starts, so that an unavailable registry costs no GPU time. This module does not compensate for
a failed pass; `workspace.py` releases what is recorded as held, and keeps the volume with checkpoints and adapter.
"""

from collections.abc import Mapping
from datetime import timedelta
from typing import Final

from temporalio import workflow
from temporalio.exceptions import ActivityError

from activities.contract import signatures
from activities.contract.models import PinnedModel
from activities.contract.nodes import NodesHeld
from activities.contract.plan import Plan
from activities.contract.tuning import AdapterRequest, JobDone, JobRequest, JobWait, Trained, TuningPart
from api import names
from api.resource.status import Phase, Step
from workflows.activity_calls import call, gather_or_cancel, is_cancelled, reason_and_message
from workflows.state import HeldResource, TuningRun
from workflows.status.reporter import StatusReporter
from workflows.steps.cleanup import release_nodes, undeploy
from workflows.steps.node_loss import run_while_nodes_ready
from workflows.steps.nodes import provision
from workflows.steps.preflight import check, check_again

TRAIN_ATTEMPTS: Final = 3
"""How often the training's Job is created in one pass, when it is removed from outside."""
PUSH_AGAIN: Final = ("PushForbidden", "RegistryUnreachable", "RegistryFull", "SecretNotFound")
"""Push failures that a user can fix while the adapter waits: a corrected Secret does not need another pass."""
PAUSES_S: Final = (30, 60, 120, 300, 900)
"""Backoff between pushes; the last value repeats. A requested retry ends the pause."""
_STEPS: Final[Mapping[TuningPart, Step]] = {
    "fetch": Step.FETCH_DATA,
    "train": Step.TRAIN,
    "publish": Step.PUBLISH,
}


async def tune(reporter: StatusReporter, plan: Plan) -> None:
    """Trains the plan's adapter and publishes it. Raises ActivityError or ApplicationError with the reason for a
    failure."""
    resources = reporter.state.resources
    if resources.run.training_digest != plan.training_digest:
        if resources.holds("workload"):
            await undeploy(reporter)  # the Jobs belong to another training
        resources.run = TuningRun(training_digest=plan.training_digest)
    if resources.run.trained is None:
        pinned = await check(reporter, plan)
        await _fetch_data(reporter, plan, pinned)
        await _train(reporter, plan, pinned)
    else:
        await check_again(reporter, plan)
    if resources.holds("node_pool"):
        reporter.set_status(Phase.PUBLISHING, "Releasing", "the training has ended; releasing its nodes")
        await release_nodes(reporter)
    if plan.output_image:
        await _publish(reporter, plan)
        await _verify(reporter, plan)


def outcome(reporter: StatusReporter, plan: Plan) -> str:
    """Describes the result of a finished tuning in one sentence."""
    run = reporter.state.resources.run
    steps = f"{run.trained.step} steps" if run.trained and run.trained.step else "training"
    loss = f", loss {run.trained.loss:.4f}" if run.trained and run.trained.loss is not None else ""
    where = run.published.pinned or run.published.image if run.published else "its volume"
    return f"{steps} of {plan.model}{loss}: the adapter is at {where}"


async def _fetch_data(reporter: StatusReporter, plan: Plan, pinned: PinnedModel | None) -> None:
    state = reporter.state
    message = "fetching and checking the data before buying nodes"
    reporter.set_status(
        Phase.FETCHING_DATA, "WorkspaceTuningJobStatusPending", message, wait=timedelta(seconds=plan.deadlines.data)
    )
    if plan.volume_gib:
        state.resources.acquire(HeldResource(kind="volume", name=names.tuning_volume(plan.key.name)))
    with reporter.step(Step.FETCH_DATA):
        summary = f"FetchData: wait until the data for {plan.model} is fetched"
        done = await _run(reporter, plan, "fetch", summary, plan.deadlines.data, pinned)
    state.resources.run.data = done.data or state.resources.run.data


async def _train(reporter: StatusReporter, plan: Plan, pinned: PinnedModel | None) -> None:
    """Provisions nodes and creates the training's Job concurrently: its pod waits for the node, not vice versa."""
    for attempt in range(1, TRAIN_ATTEMPTS + 1):
        try:
            await gather_or_cancel(provision(reporter, plan), _ensure_job(reporter, plan, "train", pinned))
            await run_while_nodes_ready(reporter, plan, lambda nodes: _await_training(reporter, plan, pinned, nodes))
            return
        except ActivityError as error:
            reason, message = reason_and_message(error)
            if is_cancelled(error) or reason != "TrainingStopped" or attempt == TRAIN_ATTEMPTS:
                raise
        reporter.set_status(Phase.TRAINING, reason, f"{message} (try {attempt + 1})")


async def _await_training(reporter: StatusReporter, plan: Plan, pinned: PinnedModel | None, nodes: NodesHeld) -> None:
    state, key = reporter.state, plan.key
    message = f"nodes are ready; pulling the image and the weights of {plan.model}"
    start = timedelta(seconds=plan.deadlines.serving)
    reporter.set_status(Phase.TRAINING, "WorkspaceTuningJobStatusPending", message, wait=start)
    with reporter.step(Step.TRAIN):
        applied = await _ensure_job(reporter, plan, "train", pinned)
        wait = JobWait(workspace=key, part="train", digest=applied, until="started", nodes=nodes)
        what = f"{plan.method} of {plan.model} on {plan.nodes_description}"
        await call(
            signatures.WAIT_FOR_TUNING_JOB,
            wait,
            summary=f"Train: wait until {what} starts",
            deadline_s=plan.deadlines.serving,
        )
        state.resources.run.started = True
        limit = timedelta(seconds=plan.deadlines.training)
        message = f"running {plan.method} of {plan.model}; its progress is in status.training"
        reporter.set_status(Phase.TRAINING, "WorkspaceTuningJobStatusStarted", message, wait=limit)
        ended = wait.model_copy(update={"until": "ended"})
        done = await call(
            signatures.WAIT_FOR_TUNING_JOB,
            ended,
            summary=f"Train: wait until {what} ends",
            deadline_s=plan.deadlines.training,
        )
    state.resources.run.trained = done.trained or Trained()


async def _publish(reporter: StatusReporter, plan: Plan) -> None:
    run = reporter.state.resources.run
    if run.published is not None and run.published.image == plan.output_image:
        return
    deadline = workflow.now() + timedelta(seconds=plan.deadlines.publishing)
    message = f"pushing the adapter to {plan.output_image}"
    reporter.set_status(Phase.PUBLISHING, "workspacePending", message, wait=deadline - workflow.now())
    attempt = 0
    while True:
        pause = timedelta(seconds=PAUSES_S[min(attempt, len(PAUSES_S) - 1)])
        attempt += 1
        try:
            with reporter.step(Step.PUBLISH):
                tries = f", try {attempt}" if attempt > 1 else ""
                summary = f"Publish: wait until the adapter is pushed to {plan.output_image}{tries}"
                done = await _run(reporter, plan, "publish", summary, plan.deadlines.publishing)
            run.published = done.published
            return
        except ActivityError as error:
            reason, message = reason_and_message(error)
            if is_cancelled(error) or reason not in PUSH_AGAIN or workflow.now() + pause > deadline:
                raise
        next_push = f"the adapter is kept; the next push is in {pause.total_seconds():g} s, or at once on a retry"
        reporter.set_status(Phase.PUBLISHING, reason, f"{message}; {next_push}", wait=deadline - workflow.now())
        await reporter.backoff(pause)


async def _verify(reporter: StatusReporter, plan: Plan) -> None:
    """Reads the pushed adapter back from the registry, in an activity that did not push it."""
    published = reporter.state.resources.run.published
    if published is None or not published.digest:
        return
    reporter.set_status(Phase.VERIFYING, "workspacePending", f"reading {published.pinned} back from the registry")
    request = AdapterRequest(
        workspace=plan.key, image=plan.output_image, digest=published.digest, secret=plan.output_secret
    )
    with reporter.step(Step.VERIFY):
        summary = f"Verify: read the tag, which must name {published.digest}"
        await call(signatures.READ_ADAPTER, request, summary=summary)


async def _ensure_job(reporter: StatusReporter, plan: Plan, part: TuningPart, pinned: PinnedModel | None = None) -> str:
    reporter.state.resources.acquire(HeldResource(kind="workload", name=names.workload(plan.key.name)))
    request = JobRequest(plan=plan, part=part, pinned=pinned)
    name = names.tuning_job(plan.key.name, part)
    applied = await call(signatures.ENSURE_TUNING_JOB, request, summary=f"{_STEPS[part]}: apply Job {name}")
    return applied.digest


async def _run(
    reporter: StatusReporter,
    plan: Plan,
    part: TuningPart,
    summary: str,
    deadline_s: int,
    pinned: PinnedModel | None = None,
) -> JobDone:
    digest = await _ensure_job(reporter, plan, part, pinned)
    wait = JobWait(workspace=plan.key, part=part, digest=digest)
    return await call(signatures.WAIT_FOR_TUNING_JOB, wait, summary=summary, deadline_s=deadline_s)
