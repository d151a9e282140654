"""The schedule of the sweeper: made once per installation; what a person has changed about it since then is kept."""

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
)

from activities.contract import queues
from workflows.sweep.workflow import SweepRequest, SweepWorkflow

SCHEDULE_ID: Final = "sweep"
EVERY: Final = timedelta(minutes=15)
LONGEST: Final = timedelta(hours=2)
"""A sweep that takes longer is ended; the next one finds what is left."""


async def ensure_sweep_schedule(client: Client) -> None:
    """Safe to call from every worker at every start. Raises RPCError when Temporal is away."""
    schedule = Schedule(
        action=ScheduleActionStartWorkflow(
            SweepWorkflow.run,
            SweepRequest(),
            id="sweep",
            task_queue=queues.WORKSPACES,
            execution_timeout=LONGEST,
            static_summary="Sweep: is anything paid for that nobody uses?",
        ),
        spec=ScheduleSpec(intervals=[ScheduleIntervalSpec(every=EVERY)]),
        policy=SchedulePolicy(overlap=ScheduleOverlapPolicy.SKIP, catchup_window=timedelta(minutes=1)),
    )
    try:
        await client.create_schedule(SCHEDULE_ID, schedule)
    except ScheduleAlreadyRunningError:
        return
