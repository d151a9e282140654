"""`modelyard status [NAME]`: where Workspaces stand, with how far a training is, in words.

Reads the resources only, so whoever may `kubectl get workspace` may use it; KUBECONFIG says which cluster.
"""

import asyncio
import os
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, Final

from rich.table import Table
from rich.text import Text

from activities.clients.api_server.paths import NameRefused
from activities.clients.kubernetes import REQUEST_ERRORS, Cluster, Object
from api.age import age
from api.resource.cost import cost_at
from api.resource.status import Cost, Training, WorkspaceStatus, parse_status
from api.words import one_line
from cli.console import console
from cli.exit_codes import GOOD, MISUSE, NO

BAR: Final = 30
"""Characters of a progress bar."""
FAILED: Final = ("Failed", "ControllerError")


def run(name: str | None, namespace: str | None) -> int:
    """0 when none has failed, 1 when one has, 2 when the cluster or the Workspace cannot be read."""
    try:
        found = asyncio.run(_read(name, namespace))
    except NameRefused as refused:
        print(str(refused), file=sys.stderr)
        return MISUSE
    except (*REQUEST_ERRORS, OSError) as error:
        print(f"the cluster cannot be read: {error}. set KUBECONFIG to the cluster's kubeconfig", file=sys.stderr)
        return MISUSE
    if name and not found:
        print(f"there is no Workspace {namespace or 'default'}/{name}", file=sys.stderr)
        return MISUSE
    out = console()
    if name:
        for line in lines_of(found[0], datetime.now(UTC)):
            out.print(Text(line), soft_wrap=True)
    else:
        out.print(table_of(found, datetime.now(UTC)) if found else "no Workspaces")
    return NO if any(status_of(one).phase in FAILED for one in found) else GOOD


async def _read(name: str | None, namespace: str | None) -> list[Object]:
    cluster = await Cluster.connect(os.environ.get("KUBECONFIG") or os.path.expanduser("~/.kube/config"))
    try:
        if name:
            one = await cluster.get("Workspace", name, namespace or "default")
            return [one] if one else []
        items, _ = await cluster.list_all("Workspace", namespace)
        return items
    finally:
        await cluster.close()


def status_of(found: Object) -> WorkspaceStatus:
    """The typed status, with every text in it as one line of what can be seen: pods, registries and clouds write there,
    and a terminal obeys whoever knows its escape sequences."""
    return parse_status(_harmless(found.get("status")))


def _harmless(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _harmless(child) for key, child in value.items()}
    if isinstance(value, list):
        return [_harmless(child) for child in value]
    return one_line(value) if isinstance(value, str) else value


def table_of(found: list[Object], now: datetime) -> Table:
    """A row for each Workspace."""
    table = Table(box=None, padding=(0, 2, 0, 0))
    for title in ("WORKSPACE", "PHASE", "STEP", "FOR", "PROGRESS", "COST", "REASON"):
        table.add_column(title, no_wrap=title != "REASON")
    for one in found:
        status, metadata = status_of(one), one["metadata"]
        cost = cost_at(status.cost, now).spent if status.cost else None
        cells = (
            f"{metadata['namespace']}/{metadata['name']}",
            status.phase or "-",
            status.step or "-",
            _for(status, now),
            _short(status.training) if status.training else "",
            f"${cost}" if cost else "",
            status.reason or "",
        )
        table.add_row(*(Text(cell) for cell in cells))  # no markup: a cell holds words of others
    return table


def lines_of(found: Object, now: datetime) -> Iterator[str]:
    """Everything about one Workspace that a person asks for first."""
    status, metadata = status_of(found), found["metadata"]
    yield f"{metadata['namespace']}/{metadata['name']}  {status.phase or 'not seen yet'}  {_for(status, now)}".rstrip()
    if status.message:
        yield f"  {status.reason}: {status.message}" if status.reason else f"  {status.message}"
    if status.deadline:
        yield f"  until      {status.deadline:%Y-%m-%d %H:%M:%S} UTC at the latest"
    if status.plan:
        price = f", ${status.plan.price_per_hour} per hour" if status.plan.price_per_hour else ""
        yield f"  plan       {_said(status.plan.nodes)} x {status.plan.instance_type or 'own nodes'}{price}"
    if status.cost:
        yield from _cost(cost_at(status.cost, now))
    if status.data:
        rows = f"{_said(status.data.usable)} of {_said(status.data.rows)} rows"
        yield f"  data       {rows}, about {_said(status.data.tokens)} tokens"
    if status.training:
        yield from _training(status.training)
    if status.adapter and (where := status.adapter.pinned or status.adapter.image):
        yield f"  adapter    {where}"


def _cost(cost: Cost) -> Iterator[str]:
    figures = [
        f"{cost.node_seconds} node-seconds so far" if cost.node_seconds is not None else "",
        f"${cost.spent}" if cost.spent else "",
        f"${cost.per_hour} more every hour" if cost.per_hour else "",
    ]
    if any(figures):
        yield f"  cost       {', '.join(figure for figure in figures if figure)}"


def _said(value: object) -> str:
    """A figure, or a question mark for one that the status lacks."""
    return "?" if value is None else str(value)


def _training(training: Training) -> Iterator[str]:
    step, total = training.step or 0, training.total_steps or 0
    if total:
        full = BAR * step // total
        at = f", {training.phase}" if training.phase else ""
        yield f"  training   [{'#' * full}{'.' * (BAR - full)}] step {step} of {total}{at}"
    else:
        yield f"  training   {training.phase or 'has begun'}"
    figures = [
        f"loss {training.loss}" if training.loss else "",
        f"{training.tokens_per_second} tokens/s" if training.tokens_per_second else "",
        f"{training.eta_seconds} s to go" if training.eta_seconds and training.phase == "training" else "",
        f"checkpoint at step {training.last_checkpoint}" if training.last_checkpoint else "",
        f"resumed from step {training.resumed_from}" if training.resumed_from else "",
    ]
    if any(figures):
        yield f"             {', '.join(figure for figure in figures if figure)}"
    for adjustment in training.adjustments or []:
        yield f"             {adjustment}"


def _short(training: Training) -> str:
    total = training.total_steps or 0
    return f"{100 * (training.step or 0) // total} % of {total}" if total else str(training.phase or "")


def _for(status: WorkspaceStatus, now: datetime) -> str:
    """How long it has stood there, as kubectl writes ages."""
    if status.since is None:
        return ""
    return age((now - status.since).total_seconds())
