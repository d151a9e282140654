"""`modelyard demo`: everything from nothing to an answered chat, and where to look next.

Decides how the demo is told; what it does is `deploy.local.demo.demo`.
"""

import sys
import time
from collections.abc import Sequence
from urllib.parse import quote

from rich.console import Console
from rich.table import Table
from rich.text import Text

from cli.console import console as standard_output
from cli.exit_codes import GOOD, NO
from cli.local import option_of
from deploy.local.demo import demo
from deploy.local.demo.chat import Answer, NoAnswer
from deploy.local.demo.follow import StatusSnapshot, step_times
from deploy.local.host.commands import CommandFailed
from deploy.local.images.contents import FOR_TUNING
from deploy.local.images.images import is_built
from deploy.local.layout import Layout
from deploy.local.services.pods import NAMESPACE
from deploy.local.services.temporal import ui_address
from deploy.local.stack.choices import OtherCluster, recall
from deploy.local.stack.runner import StepFailed
from deploy.local.stack.up import bring_up


def run(instance: str, *, deadline_s: float) -> int:
    """0 when the model has answered at both endpoints, 1 otherwise."""
    console = standard_output()
    try:
        _run(instance, deadline_s, console)
    except StepFailed as failure:
        console.print(f"\n'{failure.step.name}' failed. Fix the cause and run the same command again: it resumes here.")
        return NO
    except (demo.NotServed, NoAnswer, CommandFailed, OtherCluster) as failure:
        console.print(Text(str(failure), "red"), soft_wrap=True)
        console.print(f"`modelyard local status{option_of(instance)}` shows what runs and where its logs are.")
        return NO
    except KeyboardInterrupt:
        console.print("\nInterrupted. The same command resumes; `modelyard local down` cleans up.")
        return NO
    return GOOD


def _run(instance: str, deadline_s: float, console: Console) -> None:
    began = time.monotonic()
    _heading(console, "The stack")
    layout = Layout.of(instance)
    tuning = all(is_built(layout, image) for image in FOR_TUNING)
    stack = bring_up(instance, stream=sys.stdout, tuning=tuning)
    stack_s = time.monotonic() - began
    _heading(console, f"kubectl apply -f {demo.EXAMPLE.name}")
    target = demo.apply_example(layout.admin_kubeconfig)
    snapshots = demo.follow(target, lambda at, line: _print_line(console, at, line), deadline_s=deadline_s)
    _heading(console, demo.QUESTION)
    answers = demo.ask(target)
    _show_answers(console, answers)
    for command, output in demo.tables(target):
        _heading(console, command)
        console.print(Text(output), soft_wrap=True)
    _heading(console, "Where the time went")
    console.print(_times(stack, stack_s, snapshots, answers))
    _next(console, layout, target, option_of(instance))
    if not tuning:
        console.print(
            f"`modelyard local up{option_of(instance)}` builds the images that trainings need; serving needs none."
        )


def _heading(console: Console, text: str) -> None:
    console.print(Text(f"\n{text}", "bold cyan"), soft_wrap=True)


def _print_line(console: Console, at: float, line: str) -> None:
    console.print(Text.assemble((f"[{at:7.1f}s] ", "dim"), line), soft_wrap=True)


def _show_answers(console: Console, answers: Sequence[Answer]) -> None:
    for answer in answers:
        console.print(Text.assemble((f"{answer.endpoint}  ", "dim"), (answer.text, "green")), soft_wrap=True)


def _times(
    stack: dict[str, float], stack_s: float, snapshots: Sequence[StatusSnapshot], answers: Sequence[Answer]
) -> Table:
    table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    table.add_column(no_wrap=True)
    table.add_column(justify="right", no_wrap=True)
    slowest = max(stack, key=lambda name: stack[name])
    table.add_row(f"stack up (longest: {slowest}, {stack[slowest]:.0f} s)", f"{stack_s:.1f} s")
    for step, seconds in step_times(snapshots):
        table.add_row(f"  {step}", f"{seconds:.1f} s", style="dim")
    table.add_row("Workspace applied to Ready", f"{snapshots[-1].at:.1f} s")
    for answer in answers:
        table.add_row(f"answer at {answer.endpoint}", f"{answer.seconds:.1f} s")
    return table


def _next(console: Console, layout: Layout, target: demo.Target, instance: str) -> None:
    choices = recall(layout.instance)
    pods = choices is not None and choices.pods
    workflow = quote(target.workflow_id, safe="")
    ui = f"{ui_address(layout)}/namespaces/default/workflows/{workflow}"
    ip = demo.service_address(target)
    body = '{"prompt": "Tell me about Paris.", "generate_kwargs": {"max_length": 60}}'
    _heading(console, "Next")
    for what, how in (
        ("workflow", ui),
        ("kubectl", f"export KUBECONFIG={layout.admin_kubeconfig}"),
        *([("control plane", f"kubectl -n {NAMESPACE} get pods")] if pods else []),
        ("ask it", f"curl http://{ip}/chat -H 'Content-Type: application/json' -d '{body}'"),
        ("delete it", f"kubectl delete workspace {target.name}"),
        ("status", f"modelyard local status{instance}"),
        ("stop all", f"modelyard local down{instance}"),
    ):
        console.print(Text.assemble((f"{what:<14}", "dim"), how), soft_wrap=True)
