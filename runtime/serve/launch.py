"""Passes the arguments to vLLM's own parser, checks and `serve` command, unmodified.

Uses the `serve` command, not the API server's main, because it also starts several API servers for data parallelism.
"""

import argparse
import os
import shutil

from pydantic import ValidationError
from vllm.config import CompilationMode
from vllm.entrypoints.cli.serve import ServeSubcommand
from vllm.entrypoints.launchers.cli_args import validate_parsed_serve_args
from vllm.entrypoints.serve.utils.api_utils import cli_env_setup
from vllm.exceptions import VLLMError
from vllm.logger import configure_logging_from_args

from api.pods.serve import ServeConfig
from runtime.serve.arguments import Device, vllm_arguments
from runtime.serve.chat.open_routes import MIDDLEWARE
from runtime.serve.failures import ConfigInvalid, ModelUnusable
from runtime.serve.options import make_parser, options_of


def parse_arguments(config: ServeConfig, device: Device) -> argparse.Namespace:
    """Parses the config by vLLM's parser. Raises ConfigInvalid with vLLM's message."""
    parser = make_parser()
    arguments = vllm_arguments(config, device, options_of(parser))
    print(f"vllm serve {' '.join(arguments)}", flush=True)
    parsed = parser.parse_args(arguments)
    parsed.middleware = [*parsed.middleware, MIDDLEWARE]
    try:
        validate_parsed_serve_args(parsed)
    except (TypeError, ValueError, VLLMError) as error:
        raise ConfigInvalid(f"vLLM refuses its arguments: {error}") from error
    if device == "cpu":
        _check_compiler(parsed)
    return parsed


def run(config: ServeConfig, arguments: argparse.Namespace) -> None:
    """Serves until SIGTERM; requests in flight are finished first, within `shutdown_timeout`. Raises ConfigInvalid, or
    ModelUnusable where the user has set nothing, for what vLLM's own types call invalid."""
    cli_env_setup()
    configure_logging_from_args(arguments)
    try:
        ServeSubcommand.cmd(arguments)
    except (VLLMError, ValidationError) as error:
        refused = ConfigInvalid if config.extra else ModelUnusable
        raise refused(f"vLLM refuses its arguments: {_words(error)}") from error


def _words(error: Exception) -> str:
    """Without the values that pydantic repeats, which is the whole configuration."""
    if isinstance(error, ValidationError):
        return "; ".join(one["msg"] for one in error.errors(include_input=False, include_url=False))
    return str(error)


def _check_compiler(parsed: argparse.Namespace) -> None:
    """Fails before anything is loaded: on a CPU, torch.compile without a C++ compiler ends the engine."""
    compiles = parsed.compilation_config.mode != CompilationMode.NONE and not parsed.enforce_eager
    if compiles and shutil.which(os.environ.get("CXX", "g++")) is None:
        raise ConfigInvalid(
            "compilation-config asks for torch.compile, and this image has no C++ compiler: leave the key out, "
            "or build the image with COMPILER=g++"
        )
