"""Prints the state of an instance as tables; `status.py` determines the state."""

from rich.console import Console
from rich.table import Table
from rich.text import Text

from api.age import age
from deploy.local.stack.status import StackStatus

STYLES = {"ready": "green", "not ready": "yellow", "stopped": "red"}
GAP = 2
MIN_NAME = 12


def print_status(status: StackStatus, console: Console) -> None:
    """Prints the tables, the parts that could not be queried, and the address of the cluster."""
    if not status.up and not status.processes:
        console.print(f"Instance '{status.instance}' is down. `modelyard local up` starts it.", highlight=False)
        return
    console.print(_processes(status, console))
    if status.nodes:
        console.print()
        console.print(_nodes(status, console))
    if status.pods:
        console.print()
        console.print(_pods(status, console))
    for problem in status.problems:
        console.print(Text(problem, "yellow"), soft_wrap=True)
    console.print(Text(f"\nlogs        {status.logs}/PROCESS.log\nkubeconfig  {status.kubeconfig}"), soft_wrap=True)


def _processes(status: StackStatus, console: Console) -> Table:
    table = _table(console, PROCESS=0, STATE=9, PID=7, UP=4, ADDRESS=18)
    for each in status.processes:
        # Healthy processes of a node are left out: the node's own line is enough.
        if each.address or each.state != "ready" or not status.up:
            state = Text(each.state, STYLES[each.state])
            up = "" if each.running_s is None else age(each.running_s)
            table.add_row(each.name, state, str(each.pid or ""), up, each.address)
    return table


def _nodes(status: StackStatus, console: Console) -> Table:
    table = _table(console, NODE=0, STATE=9, POOL=12, INSTANCE_TYPE=24, GPUS=4)
    for each in status.nodes:
        state = Text("ready", "green") if each.ready else Text("not ready", "yellow")
        table.add_row(each.name, state, each.pool, each.instance_type, str(each.gpus))
    return table


def _pods(status: StackStatus, console: Console) -> Table:
    table = _table(console, POD=0, STATE=9, RESTARTS=8)
    for each in status.pods:
        state = Text("ready", "green") if each.ready else Text("not ready", "yellow")
        table.add_row(each.name, state, str(each.restarts))
    return table


def _table(console: Console, **columns: int) -> Table:
    """Returns a table of these widths; the first column takes the rest, so that a narrow terminal cuts only names.
    Where no terminal is, nothing is cut."""
    table = Table(box=None, padding=(0, GAP, 0, 0), header_style="bold")
    rest = console.width - sum(columns.values()) - GAP * len(columns)
    for title, size in columns.items():
        name = title.replace("_", " ")
        most = size or max(rest, MIN_NAME)
        table.add_column(name, no_wrap=True, min_width=size, max_width=most if console.is_terminal else None)
    return table
