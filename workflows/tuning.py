"""One generation of a tuning Workspace: data, then nodes for as long as the training runs, then the adapter's image.

What is done is remembered in the state (`run`), so that a pass that begins again fetches, trains and pushes nothing
twice. The nodes are given back before the push starts: a registry that is down costs no GPU. Nothing is undone here;
the entity compensates by what is recorded as held, and keeps the volume with checkpoints and adapter.
"""

from datetime import timedelta
from typing import Final

from temporalio import workflow
from temporalio.exceptions import ActivityError

from activities.contract import signatures
from activities.contract.payloads import PinnedModel, Plan
from activities.contract.tuning import AdapterRequest, JobDone, JobRequest, JobWait, Trained, TuningPart
from api import names
from api.resource.status import Phase, Step
from workflows.execute import call, is_cancelled, reason_and_message, side_by_side
from workflows.state import Holding, TuningRun
from workflows.status.reporter import Notebook
from workflows.steps.cleanup import release_nodes, undeploy
from workflows.steps.node_loss import while_nodes_last
from workflows.steps.nodes import provision
from workflows.steps.preflight import check, check_again

TRAIN_ATTEMPTS: Final = 3
"""How often the training's Job is made again when somebody has removed it."""
PUSH_AGAIN: Final = ("PushForbidden", "RegistryUnreachable", "RegistryFull", "SecretNotFound")
"""What a person may mend while the adapter waits: a corrected Secret needs no other try of the whole."""
PAUSES_S: Final = (30, 60, 120, 300, 900)
"""Before the next push, the last one again and again; a retry that somebody asks for ends the pause."""


async def tune(notebook: Notebook, plan: Plan) -> None:
    """Brings the plan's adapter to where it is to go. Raises ActivityError or ApplicationError with the reason it
    cannot."""
    resources = notebook.state.resources
    if resources.run.training_digest != plan.training_digest:
        if resources.holds("workload"):
            await undeploy(notebook)  # the last training is about something else
        resources.run = TuningRun(training_digest=plan.training_digest)
    if resources.run.trained is None:
        pinned = await check(notebook, plan)
        await _fetch_data(notebook, plan)
        await _train(notebook, plan, pinned)
    else:
        await check_again(notebook, plan)
    if resources.holds("node_pool"):
        notebook.stand(Phase.PUBLISHING, "Releasing", "the training has ended; its nodes are given back first")
        await release_nodes(notebook)
    if plan.output_image:
        await _publish(notebook, plan)
        await _verify(notebook, plan)


def outcome(notebook: Notebook, plan: Plan) -> str:
    """What a finished tuning has come to, as a sentence."""
    run = notebook.state.resources.run
    steps = f"{run.trained.step} steps" if run.trained and run.trained.step else "training"
    loss = f", loss {run.trained.loss:.4f}" if run.trained and run.trained.loss is not None else ""
    where = run.published.pinned or run.published.image if run.published else "its volume"
    return f"{steps} of {plan.model}{loss}: the adapter is at {where}"


async def _fetch_data(notebook: Notebook, plan: Plan) -> None:
    state = notebook.state
    words = "the data is fetched and judged before anything is bought"
    notebook.stand(
        Phase.FETCHING_DATA, "WorkspaceTuningJobStatusPending", words, wait=timedelta(seconds=plan.deadlines.data)
    )
    if plan.volume_gib:
        state.resources.hold(Holding(kind="volume", name=names.tuning_volume(plan.key.name)))
    with notebook.step(Step.FETCH_DATA):
        done = await _run(notebook, plan, "fetch", f"FetchData: data for {plan.model}", plan.deadlines.data)
    state.resources.run.data = done.data or state.resources.run.data


async def _train(notebook: Notebook, plan: Plan, pinned: PinnedModel | None) -> None:
    """Nodes and the training's Job side by side: its pod waits for the node, not the other way round."""
    for attempt in range(1, TRAIN_ATTEMPTS + 1):
        try:
            await side_by_side(provision(notebook, plan), _make(notebook, plan, "train", pinned))
            await while_nodes_last(notebook, plan, lambda: _follow(notebook, plan, pinned))
            return
        except ActivityError as error:
            reason, message = reason_and_message(error)
            if is_cancelled(error) or reason != "TrainingStopped" or attempt == TRAIN_ATTEMPTS:
                raise
        notebook.stand(Phase.TRAINING, reason, f"{message} (try {attempt + 1})")


async def _follow(notebook: Notebook, plan: Plan, pinned: PinnedModel | None) -> None:
    state, key = notebook.state, plan.key
    words = f"nodes are ready; image and weights of {plan.model} are brought to them"
    start = timedelta(seconds=plan.deadlines.serving)
    notebook.stand(Phase.TRAINING, "WorkspaceTuningJobStatusPending", words, wait=start)
    with notebook.step(Step.TRAIN):
        applied = await _make(notebook, plan, "train", pinned)
        wait = JobWait(workspace=key, part="train", digest=applied, until="started")
        what = f"Train: {plan.method} of {plan.model} on {plan.nodes_description}"
        await call(
            signatures.WAIT_FOR_TUNING_JOB, wait, summary=f"{what}: until it starts", deadline_s=plan.deadlines.serving
        )
        state.resources.run.started = True
        limit = timedelta(seconds=plan.deadlines.training)
        words = f"{plan.method} of {plan.model} is being trained; how far it is: status.training"
        notebook.stand(Phase.TRAINING, "WorkspaceTuningJobStatusStarted", words, wait=limit)
        ended = wait.model_copy(update={"until": "ended"})
        done = await call(
            signatures.WAIT_FOR_TUNING_JOB, ended, summary=f"{what}: until it ends", deadline_s=plan.deadlines.training
        )
    state.resources.run.trained = done.trained or Trained()


async def _publish(notebook: Notebook, plan: Plan) -> None:
    run = notebook.state.resources.run
    if run.published is not None and run.published.image == plan.output_image:
        return
    deadline = workflow.now() + timedelta(seconds=plan.deadlines.publishing)
    words = f"the adapter is pushed to {plan.output_image}"
    notebook.stand(Phase.PUBLISHING, "workspacePending", words, wait=deadline - workflow.now())
    attempt = 0
    while True:
        pause = timedelta(seconds=PAUSES_S[min(attempt, len(PAUSES_S) - 1)])
        attempt += 1
        try:
            with notebook.step(Step.PUBLISH):
                what = f"Publish: the adapter to {plan.output_image}" + (f", try {attempt}" if attempt > 1 else "")
                done = await _run(notebook, plan, "publish", what, plan.deadlines.publishing)
            run.published = done.published
            return
        except ActivityError as error:
            reason, message = reason_and_message(error)
            if is_cancelled(error) or reason not in PUSH_AGAIN or workflow.now() + pause > deadline:
                raise
        kept = f"the adapter is kept, and is pushed again in {pause.total_seconds():g} s or when a retry is asked for"
        notebook.stand(Phase.PUBLISHING, reason, f"{message}; {kept}", wait=deadline - workflow.now())
        await notebook.rest(pause)


async def _verify(notebook: Notebook, plan: Plan) -> None:
    """The registry is asked once more by somebody who has not pushed."""
    published = notebook.state.resources.run.published
    if published is None or not published.digest:
        return
    notebook.stand(Phase.VERIFYING, "workspacePending", f"asking the registry for {published.pinned}")
    request = AdapterRequest(
        workspace=plan.key, image=plan.output_image, digest=published.digest, secret=plan.output_secret
    )
    with notebook.step(Step.VERIFY):
        await call(signatures.READ_ADAPTER, request, summary=f"Verify: {published.digest} is what the tag names")


async def _make(notebook: Notebook, plan: Plan, part: TuningPart, pinned: PinnedModel | None = None) -> str:
    notebook.state.resources.hold(Holding(kind="workload", name=names.workload(plan.key.name)))
    request = JobRequest(plan=plan, part=part, pinned=pinned)
    name = names.tuning_job(plan.key.name, part)
    applied = await call(signatures.ENSURE_TUNING_JOB, request, summary=f"{part}: Job {name} is there")
    return applied.digest


async def _run(notebook: Notebook, plan: Plan, part: TuningPart, summary: str, deadline_s: int) -> JobDone:
    digest = await _make(notebook, plan, part)
    wait = JobWait(workspace=plan.key, part=part, digest=digest)
    return await call(signatures.WAIT_FOR_TUNING_JOB, wait, summary=summary, deadline_s=deadline_s)
