"""Options that several commands have."""

from typing import Annotated

import typer

from deploy.local import layout

Instance = Annotated[layout.Instance, typer.Option(help="Which local stack: several can run beside each other.")]
