"""The options of `modelyard demo`, `plan`, `validate`, `status` and `sweep`.

What each does is in the module of its name. That is imported when the command runs, so that none waits for what another
one needs; for the same reason defaults are written here, and a test holds them to those of the modules.
"""

from typing import Annotated

import typer

from api.providers import Provider
from cli.options import Instance

PolicyOption = Annotated[
    str | None,
    typer.Option("--policy", metavar="FILE", help="The operator's policy; without it nothing is refused by one."),
]
File = Annotated[str, typer.Option("-f", "--file", metavar="FILE", help="A manifest, or - for standard input.")]
Files = Annotated[list[str], typer.Option("-f", "--file", metavar="FILE", help="A manifest, or - for standard input.")]


def demo(
    instance: Instance = "demo",
    deadline: Annotated[
        float, typer.Option(metavar="SECONDS", min=0, help="Wait this long for the model to serve.")
    ] = 900,
) -> None:
    """Bring a local stack up, serve a small model on it and ask it a question.

    Applies a Workspace with kubectl, shows its steps as they happen, asks the model, and shows where to look next. Can
    be repeated: what is there already is used.
    """
    from cli.demo import run

    raise typer.Exit(run(instance, deadline_s=deadline))


def plan(
    file: File,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object for each Workspace.")] = False,
    region: Annotated[str, typer.Option(help="Azure region of the prices.")] = "eastus",
    provider: Annotated[Provider, typer.Option(help="Provider of the nodes if the Workspace names none.")] = "aks",
    machine: Annotated[
        str | None,
        typer.Option(metavar="TYPE", help="With --provider byo: a machine type like your nodes."),
    ] = None,
    hub: Annotated[
        str | None, typer.Option(metavar="URL", help="A hub to query for models that are not in the catalogue.")
    ] = None,
    policy: PolicyOption = None,
) -> None:
    """Show what a Workspace would buy, hold and cost, without a cluster or a cloud.

    Plans every Workspace in the file, with the ConfigMaps in the same file: machines, memory by part, context,
    price and time. Exit codes: 0 success, 1 a plan cannot be carried out, 2 misuse.
    """
    from cli.plan import run

    raise typer.Exit(
        run(file, as_json=json, region=region, provider=provider, machine_type=machine, hub=hub, policy_file=policy)
    )


def validate(
    file: Files,
    old: Annotated[
        str | None, typer.Option(metavar="FILE", help="What is stored now: its Workspaces are checked as updates.")
    ] = None,
    provider: Annotated[Provider, typer.Option(help="Provider of the nodes.")] = "aks",
    allow_host: Annotated[
        list[str] | None, typer.Option(metavar="HOST", help="A host that URLs may name whatever its address is.")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
    policy: PolicyOption = None,
    region: Annotated[str, typer.Option(help="Azure region of the prices that a policy limits.")] = "",
) -> None:
    """Check Workspaces in files by the admission rules, without a cluster.

    Checks every Workspace in the files, with the ConfigMaps in the same files. Exit codes: 0 accepted, 1 refused,
    2 misuse.
    """
    from cli.validate import run

    raise typer.Exit(
        run(
            file,
            old=old,
            provider=provider,
            allowed_hosts=allow_host or (),
            as_json=json,
            policy_file=policy,
            region=region,
        )
    )


def status(
    name: Annotated[
        str | None, typer.Argument(metavar="NAME", help="Show one Workspace, with all its details.")
    ] = None,
    namespace: Annotated[
        str | None, typer.Option("-n", "--namespace", help="Default: all namespaces, or `default` for one Workspace.")
    ] = None,
) -> None:
    """Show the phase of Workspaces, and the progress of a training.

    Reads Workspaces of the cluster that KUBECONFIG names. Exit code 1 when one has failed.
    """
    from cli.status import run

    raise typer.Exit(run(name, namespace))


def sweep(
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Report only; change nothing.")] = False,
    pause: Annotated[int, typer.Option(metavar="SECONDS", min=0, help="Between the two scans.")] = 120,
    json: Annotated[bool, typer.Option("--json", help="Print the report as JSON.")] = False,
) -> None:
    """Find and release resources that no Workspace uses.

    Compares node pools, NodeClaims, reservations, Workspaces and workflows in two scans, and repairs what both found
    orphaned. Finds Temporal by the settings of docs/temporal.md. Exit code 1 if something was orphaned.
    """
    from cli.sweep import run

    raise typer.Exit(run(dry_run=dry_run, pause_s=pause, as_json=json))


COMMANDS = (demo, plan, validate, status, sweep)
