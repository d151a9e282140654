"""Which workers carried out a workflow, and which of them began with a change of its code: read from the histories.

Whether a workflow task has failed is `testing/workflow_tasks.py`'s.
"""

import itertools
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from temporalio.api.history.v1 import HistoryEvent
from temporalio.client import Client

from testing.workflow_tasks import faults_in


@dataclass(frozen=True)
class Run:
    """One run of a workflow. A build is that of workers, "" of unversioned ones."""

    builds: Sequence[str]
    """Of the workers that carried out its tasks, in their order, without repetitions in a row."""
    begun: dict[str, str]
    """By patch that the run has: the build of the workers that began with it."""
    asked: Sequence[tuple[str, str]]
    """Summary of each activity, with the build of the workers that asked for it."""
    faults: Sequence[str]
    """Failed workflow tasks."""


def run_of(events: Sequence[HistoryEvent]) -> Run:
    """Returns what a history tells."""
    tasks = {
        event.event_id: event.workflow_task_completed_event_attributes.deployment_version.build_id
        for event in events
        if event.HasField("workflow_task_completed_event_attributes")
    }
    markers = [each for event in events for each in _patches_in(event)]
    scheduled = [event for event in events if event.HasField("activity_task_scheduled_event_attributes")]
    return Run(
        builds=_without_repetitions(tasks.values()),
        begun={patch: tasks[task] for patch, task in markers},
        asked=[
            (_summary_of(event), tasks[event.activity_task_scheduled_event_attributes.workflow_task_completed_event_id])
            for event in scheduled
        ],
        faults=faults_in(events),
    )


async def runs_of(client: Client, workflow_id: str) -> list[Run]:
    """Every run of this workflow that the server has, the first one first."""
    listed = [each async for each in client.list_workflows(f"WorkflowId = '{workflow_id}'")]
    histories = [
        await client.get_workflow_handle(workflow_id, run_id=each.run_id).fetch_history()
        for each in sorted(listed, key=lambda run: run.start_time)
    ]
    return [run_of(history.events) for history in histories]


def builds_of(runs: Iterable[Run]) -> list[str]:
    """Of the workers that carried out all these runs, in their order, without repetitions in a row."""
    return _without_repetitions(itertools.chain.from_iterable(run.builds for run in runs))


def _without_repetitions(builds: Iterable[str]) -> list[str]:
    return [build for build, _ in itertools.groupby(builds)]


def _patches_in(event: HistoryEvent) -> list[tuple[str, int]]:
    """The patch of a marker, and the workflow task that recorded it; none of any other event."""
    marker = event.marker_recorded_event_attributes
    found = marker.details["patch-data"].payloads if "patch-data" in marker.details else []
    return [(json.loads(each.data)["id"], marker.workflow_task_completed_event_id) for each in found]


def _summary_of(event: HistoryEvent) -> str:
    data = event.user_metadata.summary.data
    return str(json.loads(data)) if data else ""
