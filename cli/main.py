"""The `modelyard` command: what stands below it, and its exit code.

Which options a command has is in `commands.py`, `local_commands.py` and `image_commands.py`. What it does is in the
module of its name. That is imported when the command runs, so that `modelyard validate` and all help do without
Temporal, Kubernetes and Azure.
"""

import sys
from collections.abc import Sequence
from typing import NoReturn

import typer

from cli import commands, image_commands, local_commands
from cli.exit_codes import GOOD, MISUSE
from process.exit import exit_now

app = typer.Typer(
    help="Model lifecycles on Kubernetes: KAITO Workspaces as durable workflows.",
    epilog="Exit codes: 0 success, 1 refused or failed, 2 misuse.",
    no_args_is_help=True,
    rich_markup_mode="markdown",
    context_settings={"help_option_names": ["-h", "--help"]},
    # A traceback is for those who mend the program; typer's would show variables, and so perhaps a secret.
    pretty_exceptions_enable=False,
)
app.add_typer(local_commands.app, name="local")
app.add_typer(image_commands.app, name="images")
for command in commands.COMMANDS:
    app.command()(command)


def main(argv: Sequence[str] | None = None) -> int:
    """Carries one command line out and returns its exit code; 2 on misuse."""
    try:
        app(argv, prog_name="modelyard")
    except SystemExit as ended:
        return ended.code if isinstance(ended.code, int) else GOOD
    except ModuleNotFoundError as missing:
        if not (missing.name or "").startswith("deploy."):
            raise
        print("this command needs a checkout: the control plane's image has no local stack in it", file=sys.stderr)
        return MISUSE
    return GOOD


def entry() -> NoReturn:
    """What the installed command calls: the process ends with the exit code."""
    exit_now(main())


if __name__ == "__main__":
    entry()
