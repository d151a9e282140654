"""`modelyard sweep [--dry-run]`: finds and releases orphaned resources now.

The work is the Sweep workflow's, so that it is on record; here it is started, waited for and told.
"""

from __future__ import annotations

import asyncio
import sys
from datetime import timedelta
from uuid import uuid4

from temporalio.client import WorkflowFailureError
from temporalio.service import RPCError

from activities.contract import queues
from cli.exit_codes import GOOD, NO
from process.settings import TemporalSettings
from process.temporal import connect
from workflows.sweep.workflow import SweepReport, SweepRequest, SweepWorkflow, in_words

LONGEST = timedelta(hours=2)


def run(*, dry_run: bool, pause_s: int, as_json: bool) -> int:
    """Returns 0 if nothing was orphaned; 1 if something was, or if the sweep failed."""
    try:
        report = asyncio.run(_sweep(SweepRequest(dry_run=dry_run, pause_s=pause_s), quiet=as_json))
    except (RPCError, RuntimeError, WorkflowFailureError) as error:
        cause = error.cause if isinstance(error, WorkflowFailureError) else error
        print(f"the sweep failed, nothing was touched: {cause}", file=sys.stderr)
        return NO
    print(report.model_dump_json(indent=2) if as_json else "\n".join(lines_of(report)))
    return NO if report.found else GOOD


def lines_of(report: SweepReport) -> list[str]:
    """The report in words, one line for each thing."""
    does = "would be" if report.dry_run else "was"
    lines = []
    for thing in report.found.orphans:
        outcome = (
            f"could not be deleted: {report.failed[thing.name]}" if thing.name in report.failed else f"{does} deleted"
        )
        lines.append(f"{in_words(thing)}, which is gone: {outcome}")
    for one in report.found.without_workflow:
        lines.append(f"Workspace {one.key.namespace}/{one.key.name} had no workflow: one {does} started")
    for key in report.found.without_workspace:
        lines.append(f"Workspace {key.namespace}/{key.name} is gone and its workflow still ran: it {does} signalled")
    return lines or ["nothing is orphaned: every paid resource is in use, and every Workspace has a workflow"]


async def _sweep(request: SweepRequest, *, quiet: bool) -> SweepReport:
    client = await connect(TemporalSettings())
    handle = await client.start_workflow(
        SweepWorkflow.run,
        request,
        id=f"sweep-by-hand-{uuid4().hex[:8]}",
        task_queue=queues.WORKSPACES,
        execution_timeout=LONGEST,
        static_summary="Sweep by hand" + (", dry run" if request.dry_run else ""),
    )
    if not quiet:
        print(f"sweeping as workflow {handle.id}: two scans, {request.pause_s} s apart if the first finds anything")
    return await handle.result()
