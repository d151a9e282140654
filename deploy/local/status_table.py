"""Prints the state of an instance for people; what the state is comes from `status.py`."""

from rich.console import Console
from rich.table import Table
from rich.text import Text

from deploy.local.status import StackStatus

STYLES = {"ready": "green", "not ready": "yellow", "stopped": "red"}


def print_status(status: StackStatus, console: Console) -> None:
    """Two tables, what could not be asked, and the address of the cluster."""
    if not status.up and not status.processes:
        console.print(f"Instance '{status.instance}' is down. `modelyard local up` starts it.", highlight=False)
        return
    console.print(_processes(status))
    if status.nodes:
        console.print(_nodes(status))
    for problem in status.problems:
        console.print(Text(problem, "yellow"), soft_wrap=True)
    console.print(Text(f"\nlogs        {status.logs}/PROCESS.log\nkubeconfig  {status.kubeconfig}"), soft_wrap=True)


def age(seconds: float | None) -> str:
    """Seconds as kubectl would say them: 45s, 12m, 3h, 2d."""
    if seconds is None:
        return ""
    for size, letter in ((86400, "d"), (3600, "h"), (60, "m")):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f}{letter}"
    return f"{seconds:.0f}s"


def _processes(status: StackStatus) -> Table:
    table = _table(PROCESS=0, STATE=9, PID=7, UP=4, ADDRESS=16)
    for each in status.processes:
        state = Text(each.state, STYLES[each.state])
        table.add_row(each.name, state, str(each.pid or ""), age(each.running_s), each.address)
    return table


def _nodes(status: StackStatus) -> Table:
    table = _table(NODE=0, STATE=9, POOL=12, INSTANCE_TYPE=24, GPUS=4)
    for each in status.nodes:
        state = Text("ready", "green") if each.ready else Text("not ready", "yellow")
        table.add_row(each.name, state, each.pool, each.instance_type, str(each.gpus))
    return table


def _table(**widths: int) -> Table:
    """Columns with the width below which they do not shrink; where a terminal is narrow, only names are cut."""
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="bold")
    for title, width in widths.items():
        table.add_column(title.replace("_", " "), no_wrap=True, min_width=width)
    return table
