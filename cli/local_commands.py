"""The options of `modelyard local` and `modelyard local fault`; what they do is in `local.py` and `fault.py`.

Those are imported when a command runs, as in `commands.py`.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer

from cli.options import Instance

app = typer.Typer(
    help="Run a whole stack on this machine: Kubernetes, Temporal, registry, ARM emulator, Modelyard.\n\n"
    "Needs Linux, and no cloud, GPU or container engine. Caches live in ${XDG_CACHE_HOME:-~/.cache}/modelyard, the "
    "state of an instance in ${MODELYARD_HOME:-~/.local/state/modelyard}/INSTANCE.",
    no_args_is_help=True,
)
faults = typer.Typer(
    help="Make the ARM emulator fail: quota, capacity, throttling, lost answers, broken nodes.\n\n"
    "Faults hold until they are used up (--times) or cleared. `kinds` says what each imitates.",
    no_args_is_help=True,
)
app.add_typer(faults, name="fault")


@app.command()
def up(
    instance: Instance = "demo",
    kubeconfig: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Use this cluster instead of creating one.")
    ] = None,
) -> None:
    """Start what is not running; repairs a half-started stack.

    With --kubeconfig it uses that cluster and starts only what it lacks: Temporal, the ARM emulator (whose nodes are
    then Node objects without machines), and Modelyard's processes; no control plane, nodes, registry or model mirror.
    """
    from cli.local import run_up

    raise typer.Exit(run_up(instance, kubeconfig))


@app.command()
def prepare(instance: Instance = "demo") -> None:
    """Build what takes minutes the first time, and start nothing.

    Installs system packages, builds the Kubernetes programs, the images, the runtime environment and the models, into
    the caches. `up` does the same if needed; tests need it done before.
    """
    from cli.local import run_prepare

    raise typer.Exit(run_prepare(instance))


@app.command()
def down(
    instance: Instance = "demo",
    purge: Annotated[bool, typer.Option("--purge", help="Delete the instance's state as well.")] = False,
) -> None:
    """Stop everything of an instance; its state and the caches stay.

    Stops every process, node and network part. The state stays, so that `up` resumes where it stopped; caches always
    stay.
    """
    from cli.local import run_down

    raise typer.Exit(run_down(instance, purge=purge))


@app.command()
def status(
    instance: Instance = "demo", json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False
) -> None:
    """Show what runs, where, since when, and its log."""
    from cli.local import run_status

    raise typer.Exit(run_status(instance, as_json=json))


def _known_kind(name: str) -> str:
    from deploy.local.azure.faults import KINDS

    if name not in KINDS:
        raise typer.BadParameter(f"{name!r} is not one of {', '.join(KINDS)}")
    return name


def _kinds(incomplete: str) -> Iterator[tuple[str, str]]:
    from deploy.local.azure.faults import KINDS

    yield from ((name, kind.imitates) for name, kind in KINDS.items() if name.startswith(incomplete))


@faults.command()
def add(
    kind: Annotated[
        str,
        typer.Argument(
            metavar="KIND",
            callback=_known_kind,
            autocompletion=_kinds,
            help="Kind of fault, one of those that `kinds` shows.",
        ),
    ],
    instance: Instance = "demo",
    times: Annotated[int | None, typer.Option(help="How many times it applies. Without it: until cleared.")] = None,
    pool: Annotated[
        str | None, typer.Option(metavar="PATTERN", help="Agent pools it applies to, such as 'ws*'. Without it: all.")
    ] = None,
    method: Annotated[str | None, typer.Option(help="HTTP method it applies to. Without it: the kind's own.")] = None,
    route: Annotated[
        str | None, typer.Option(help="Route it applies to: agentPool, operation, managedCluster, skus, ...")
    ] = None,
    variant: Annotated[str | None, typer.Option(help="Another form of the fault, see `kinds`.")] = None,
    seconds: Annotated[float | None, typer.Option(help="Its delay, or the Retry-After of throttled.")] = None,
    status: Annotated[int | None, typer.Option(help="The status of server-error. Without it: 500.")] = None,
    nodes: Annotated[
        int | None, typer.Option(help="How many machines of the pool it applies to. Without it: all.")
    ] = None,
) -> None:
    """Set a fault."""
    from cli.fault import run_add

    narrowed = dict(
        times=times, pool=pool, method=method, route=route, variant=variant, seconds=seconds, status=status, nodes=nodes
    )
    raise typer.Exit(run_add(instance, kind, narrowed))


@faults.command(name="list")
def list_(
    instance: Instance = "demo", json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False
) -> None:
    """Show the faults that are set."""
    from cli.fault import run_list

    raise typer.Exit(run_list(instance, as_json=json))


@faults.command()
def clear(
    id: Annotated[
        str | None, typer.Argument(metavar="ID", help="A fault's id, as `list` shows it. Without it: all.")
    ] = None,
    instance: Instance = "demo",
) -> None:
    """Clear one fault, or all of them."""
    from cli.fault import run_clear

    raise typer.Exit(run_clear(instance, id))


@faults.command()
def kinds() -> None:
    """Show what can go wrong, and what it imitates."""
    from cli.fault import run_kinds

    raise typer.Exit(run_kinds())


@faults.command(name="set")
def set_(
    setting: Annotated[
        list[str],
        typer.Argument(
            metavar="NAME=VALUE",
            help="create_seconds, delete_seconds, update_seconds, retry_after_seconds, pool_limit, "
            "family_limit, regional_limit, serialise_pools, family_limits={family: vCPUs}, ...",
        ),
    ],
    instance: Instance = "demo",
) -> None:
    """Change delays, limits and quotas while the ARM emulator runs."""
    from cli.fault import run_set

    raise typer.Exit(run_set(instance, setting))
