"""Evaluates the pods of a tuning's Job: waiting, running, done with a result, or failed with a reason. Pure.

A program leaves its result, or its reason, as the termination message of its container. The Job itself is read only if
no pod is left.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Final

from pydantic import ValidationError

from activities.clients.kubernetes import Object
from activities.contract.tuning import DataFound, JobDone, PublishedAdapter, Trained, TuningPart
from activities.serving import pods
from api.configs.json_reading import read_json
from api.pods.tune import TuneStatus
from api.resource.status import Training

RESTARTS: Final[Mapping[TuningPart, int]] = {"fetch": 5, "train": 20, "publish": 3}
"""How often the kubelet restarts a program. Fetching and publishing retry each request several times by themselves; a
training that resumes from its checkpoint may be lost more often in the course of days."""

ADJUSTMENTS: Final = 20
ADJUSTMENT_MAX: Final = 300
"""Adjustments that reach the status, and characters of each: a training makes a few, a pod may send any."""

TOLD_AT_ONCE: Final = ("RegistryUnreachable", "RegistryFull")
"""Reasons of a push that end a wait although the kubelet starts the pod again: the workflow writes them into the
status, and goes on with the same Job."""


@dataclass(frozen=True)
class Verdict:
    """`done` if it has succeeded; else `problem`, if there is one; `running` names the pod whose program runs."""

    done: JobDone | None = None
    problem: pods.Problem | None = None
    running: str = ""


def judged(part: TuningPart, found: Iterable[Object], digest: str) -> Verdict:
    """Evaluates all pods of that digest together."""
    ours = [pod for pod in found if pods.digest_of(pod) == digest]
    for pod in ours:
        if _succeeded(pod):
            return Verdict(done=done(part, _message(pod, part)))
    living = [pod for pod in ours if "deletionTimestamp" not in pod["metadata"]]
    running = next((pod["metadata"]["name"] for pod in living if _runs(pod, part)), "")
    problems = [problem for pod in living if (problem := _problem(pod, part))]
    final = next((problem for problem in problems if problem.final), None)
    return Verdict(problem=final or next(iter(problems), None), running=running)


def job_complete(job: Object | None) -> bool:
    """Whether the Job has condition Complete."""
    return _stands(job, "Complete")


def job_failed(job: Object | None) -> bool:
    """Whether the Job has condition Failed."""
    return _stands(job, "Failed")


def done(part: TuningPart, message: str) -> JobDone:
    """The result as the program reported it; empty if it cannot be parsed, because the Job succeeded."""
    report = _reported(message)
    if part == "fetch":
        return JobDone(data=_as(DataFound, report))
    if part == "publish":
        return JobDone(published=_as(PublishedAdapter, report))
    return JobDone(trained=_as(Trained, report))


def training_status(status: TuneStatus, now: datetime | None = None) -> Training:
    """status.training, from the training's own report."""
    return Training(
        phase=status.phase,
        step=status.step,
        total_steps=status.total_steps or None,
        epoch=_decimal(status.epoch, 2),
        loss=_decimal(status.loss, 4),
        eval_loss=_decimal(status.eval_loss, 4),
        eval_loss_base=_decimal(status.eval_loss_base, 4),
        tokens_per_second=_decimal(status.tokens_per_s, 1),
        eta_seconds=None if status.eta_s is None else round(status.eta_s),
        last_checkpoint=status.last_checkpoint,
        resumed_from=status.resumed_from or None,
        steps_trained=status.steps_trained,
        attempts=status.attempts,
        adjustments=[one[:ADJUSTMENT_MAX] for one in status.adjustments[:ADJUSTMENTS]] or None,
        as_of=now or datetime.now(UTC),
    )


def tune_status(message: str) -> TuneStatus | None:
    """The training's last report; None for any other text."""
    report = _reported(message)
    return _as(TuneStatus, report) if "phase" in report else None


def last_message(found: Iterable[Object], part: TuningPart, digest: str) -> str:
    """The termination message of the pod that succeeded; empty if there is none."""
    ended = [pod for pod in found if pods.digest_of(pod) == digest and _succeeded(pod)]
    return _message(ended[0], part) if ended else ""


def _stands(job: Object | None, type_: str) -> bool:
    conditions = (job or {}).get("status", {}).get("conditions") or []
    return any(one["type"] == type_ and one["status"] == "True" for one in conditions)


def _decimal(value: float | None, places: int) -> str | None:
    return None if value is None else f"{value:.{places}f}"


def _problem(pod: Object, part: TuningPart) -> pods.Problem | None:
    problem = pods.problem_of(pod, tolerated=RESTARTS[part])
    if problem and problem.reason == "TrainingStopped":
        return None  # a requested stop: the training resumes afterwards
    if problem and part == "publish" and problem.reason in TOLD_AT_ONCE:
        return replace(problem, final=problem.final or not _runs(pod, part))
    return problem


def _container(pod: Object, part: TuningPart) -> Object:
    states: list[Object] = pod.get("status", {}).get("containerStatuses") or []
    return next((state for state in states if state["name"] == part), {})


def _succeeded(pod: Object) -> bool:
    return bool(pod.get("status", {}).get("phase") == "Succeeded")


def _runs(pod: Object, part: TuningPart) -> bool:
    return "running" in (_container(pod, part).get("state") or {})


def _message(pod: Object, part: TuningPart) -> str:
    ended = (_container(pod, part).get("state") or {}).get("terminated") or {}
    return str(ended.get("message") or "")[: pods.MESSAGE_MAX]


def _reported(message: str) -> dict[str, Any]:
    lines = message.strip().splitlines()
    try:
        left = read_json(lines[-1]) if lines else {}
    except ValueError:
        return {}
    return left if isinstance(left, dict) else {}


def _as(model: type[Any], report: dict[str, Any]) -> Any:
    try:
        return model.model_validate(report)
    except ValidationError:
        return model()
