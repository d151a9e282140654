"""The options of `modelyard images`; what they do is in `images.py`, which is imported when a command runs."""

from typing import Annotated, Literal

import typer

Device = Annotated[Literal["cpu", "cuda"], typer.Option(help="What models are computed on.")]
Registry = Annotated[
    str, typer.Option(metavar="HOST[/PATH]", help="The registry, and the path below which the images are.")
]
Tag = Annotated[str | None, typer.Option(help="Tag of the images. Without it: the version of this checkout.")]

app = typer.Typer(
    help="Build, push and list the images of an installation, without a container engine.\n\n"
    "Needs a checkout, Linux and root rights, and installs buildah and mmdebstrap where they are missing. Built images "
    "and packages stay in ${XDG_CACHE_HOME:-~/.cache}/modelyard.",
    no_args_is_help=True,
)


@app.command()
def build(device: Device = "cpu") -> None:
    """Build all images that have changed, each with its bill of materials.

    MODELYARD_BASE_IMAGE names the base by its digest; without it, one is made from Debian's packages.
    """
    from cli.images import run_build

    raise typer.Exit(run_build(device))


@app.command()
def push(
    registry: Registry,
    device: Device = "cpu",
    tag: Tag = None,
    plain_http: Annotated[bool, typer.Option("--plain-http", help="The registry speaks HTTP without TLS.")] = False,
) -> None:
    """Build what has changed, and push all images with their bills of materials.

    Uses the account of `docker login`, `buildah login` or `skopeo login`, from the files that these write;
    REGISTRY_AUTH_FILE names another one. What a credential helper keeps is not read.
    """
    from cli.images import run_push

    raise typer.Exit(run_push(device, registry, tag, plain_http=plain_http))


@app.command(name="list")
def list_(
    registry: Registry = "REGISTRY",
    device: Device = "cpu",
    tag: Tag = None,
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Show every image that an installation pulls: what a mirror in an air-gapped site must have.

    Digests, bases and sizes are those of the images of the current sources, as far as they are built here. Images of
    others are those of the chart's defaults, with where they come from and the value that asks for them.
    """
    from cli.images import run_list

    raise typer.Exit(run_list(device, registry, tag, as_json=json))
