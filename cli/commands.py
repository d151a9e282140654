"""The options of `modelyard demo`, `plan`, `validate`, `status` and `sweep`.

What each does is in the module of its name. That is imported when the command runs, so that none waits for what another
one needs; for the same reason defaults are written here, and a test holds them to those of the modules.
"""

from typing import Annotated

import typer

from api.providers import Provider
from cli.options import Instance

File = Annotated[str, typer.Option("-f", "--file", metavar="FILE", help="A manifest, or - for standard input.")]
Files = Annotated[list[str], typer.Option("-f", "--file", metavar="FILE", help="A manifest, or - for standard input.")]


def demo(
    instance: Instance = "demo",
    deadline: Annotated[
        float, typer.Option(metavar="SECONDS", min=0, help="Wait this long for the model to serve.")
    ] = 900,
) -> None:
    """Bring a local stack up, serve a small model on it and ask it a question.

    Applies a Workspace with kubectl, shows its steps as they happen, asks the model, and says where to look next. Can
    be repeated: what is there already is used.
    """
    from cli.demo import run

    raise typer.Exit(run(instance, deadline_s=deadline))


def plan(
    file: File,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object for each Workspace.")] = False,
    region: Annotated[str, typer.Option(help="Azure region of the prices.")] = "eastus",
    provider: Annotated[Provider, typer.Option(help="Who brings the nodes if the Workspace does not say.")] = "aks",
    machine: Annotated[
        str | None,
        typer.Option(metavar="TYPE", help="With --provider byo: a machine type that your nodes are like."),
    ] = None,
    hub: Annotated[
        str | None, typer.Option(metavar="URL", help="A hub to ask for models that the catalogue does not have.")
    ] = None,
) -> None:
    """Show what a Workspace would buy, hold and cost, without a cluster or a cloud.

    Plans every Workspace in the file, with the ConfigMaps that stand beside it: machines, memory by part, context,
    price and time. Exit codes: 0 good, 1 a plan cannot be carried out, 2 misuse.
    """
    from cli.plan import run

    raise typer.Exit(run(file, as_json=json, region=region, provider=provider, machine_type=machine, hub=hub))


def validate(
    file: Files,
    old: Annotated[
        str | None, typer.Option(metavar="FILE", help="What is stored now: Workspaces in it are judged as updates.")
    ] = None,
    provider: Annotated[Provider, typer.Option(help="Who brings the nodes.")] = "aks",
    allow_host: Annotated[
        list[str] | None, typer.Option(metavar="HOST", help="A host that URLs may name whatever it is.")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Judge Workspaces in files by the admission rules, without a cluster.

    Judges every Workspace in the files, with the ConfigMaps that stand beside it. Exit codes: 0 accepted, 1 refused,
    2 misuse.
    """
    from cli.validate import run

    raise typer.Exit(run(file, old=old, provider=provider, allowed_hosts=allow_host or (), as_json=json))


def status(
    name: Annotated[
        str | None, typer.Argument(metavar="NAME", help="One Workspace, with everything that is known of it.")
    ] = None,
    namespace: Annotated[
        str | None, typer.Option("-n", "--namespace", help="All without it, or `default` for one Workspace.")
    ] = None,
) -> None:
    """Show where Workspaces stand, and how far a training is.

    Reads Workspaces of the cluster that KUBECONFIG names. Exit code 1 when one has failed.
    """
    from cli.status import run

    raise typer.Exit(run(name, namespace))


def sweep(
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only tell.")] = False,
    pause: Annotated[int, typer.Option(metavar="SECONDS", min=0, help="Between the two looks.")] = 120,
    json: Annotated[bool, typer.Option("--json", help="The report as JSON.")] = False,
) -> None:
    """Find and give back what no Workspace uses any more.

    Compares node pools, NodeClaims, reservations, Workspaces and workflows, twice, and mends what both looks found
    amiss. Temporal is found by MODELYARD_TEMPORAL_ADDRESS. Exit code 1 when something was amiss.
    """
    from cli.sweep import run

    raise typer.Exit(run(dry_run=dry_run, pause_s=pause, as_json=json))


COMMANDS = (demo, plan, validate, status, sweep)
