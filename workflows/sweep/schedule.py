"""Creates the Temporal Schedule of the sweep, once per installation; later manual changes to it are kept."""

from dataclasses import replace
from datetime import timedelta
from typing import Final

from temporalio.client import (
    Client,
    Schedule,
    ScheduleActionStartWorkflow,
    ScheduleAlreadyRunningError,
    ScheduleIntervalSpec,
    ScheduleOverlapPolicy,
    SchedulePolicy,
    ScheduleSpec,
    ScheduleUpdate,
)
from temporalio.common import Priority

from activities.contract import queues
from workflows.sweep.workflow import SweepRequest, SweepWorkflow

SCHEDULE_ID: Final = "sweep"
EVERY: Final = timedelta(minutes=15)
LONGEST: Final = timedelta(hours=2)
"""A sweep that takes longer is timed out; the next one finds what is left."""


async def ensure_sweep_schedule(client: Client) -> None:
    """Creates the schedule, or renews what it starts and leaves the rest as people have set it: an argument that was
    written years ago may need a key of then. Called by every worker at start. Raises RPCError."""
    action = ScheduleActionStartWorkflow(
        SweepWorkflow.run,
        SweepRequest(),
        id="sweep",
        task_queue=queues.WORKSPACES,
        execution_timeout=LONGEST,
        priority=Priority(priority_key=queues.Order.SWEEP),
        static_summary="Sweep: delete orphaned resources, start missing workflows",
    )
    schedule = Schedule(
        action=action,
        spec=ScheduleSpec(intervals=[ScheduleIntervalSpec(every=EVERY)]),
        policy=SchedulePolicy(overlap=ScheduleOverlapPolicy.SKIP, catchup_window=timedelta(minutes=1)),
    )
    try:
        await client.create_schedule(SCHEDULE_ID, schedule)
    except ScheduleAlreadyRunningError:
        handle = client.get_schedule_handle(SCHEDULE_ID)
        await handle.update(lambda found: ScheduleUpdate(replace(found.description.schedule, action=action)))
