"""Reads the options of vLLM's command line and the way each takes its value.

The only file that uses vLLM's parser; everywhere else options are data.
"""

import argparse
from collections.abc import Sequence

from vllm.entrypoints.launchers.cli_args import make_arg_parser
from vllm.utils.argparse_utils import FlexibleArgumentParser

from runtime.serve.arguments import Kind, Option, Options
from runtime.serve.failures import ConfigInvalid


class _Parser(FlexibleArgumentParser):  # type: ignore[misc]  # vLLM is not here
    """Raises errors; argparse would print the usage of 300 options and exit."""

    def error(self, message: str) -> None:
        raise ConfigInvalid(f"vLLM refuses its arguments: {message}")


def make_parser() -> argparse.ArgumentParser:
    """Returns the parser of `vllm serve`."""
    parser: argparse.ArgumentParser = make_arg_parser(_Parser(prog="vllm serve"))
    return parser


def options_of(parser: argparse.ArgumentParser) -> Options:
    """Returns every option by its name with underscores; an option with several names appears under each."""
    found: dict[str, Option] = {}
    for action in parser._actions:
        names = [name[2:] for name in action.option_strings if name.startswith("--")]
        positive = [name for name in names if not _negates(name, names)]
        for name in positive:
            found[name.replace("-", "_")] = Option(name, _kind(action, names))
    return found


def _kind(action: argparse.Action, names: Sequence[str]) -> Kind:
    if isinstance(action, argparse.BooleanOptionalAction) or any(_negates(name, names) for name in names):
        return Kind.SWITCH
    if action.nargs == 0:
        return Kind.FLAG
    if action.nargs in ("+", "*"):
        return Kind.LIST
    return Kind.VALUE


def _negates(name: str, names: Sequence[str]) -> bool:
    return name.startswith("no-") and name.removeprefix("no-") in names
