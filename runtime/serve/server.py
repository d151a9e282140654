"""The server's process, which `python -m runtime.serve` starts and watches: waits for adapters and weights, then runs
vLLM.

vLLM starts its engine as a new process that imports this file again, so nothing heavy is imported at the top.
"""

import argparse
import ctypes
import os
import signal
import sys
from pathlib import Path
from typing import Final

from pydantic import ValidationError

from api.pods.serve import CONFIG_PATH, ServeConfig
from runtime.serve.adapters.waiting import check_fit, with_adapters
from runtime.serve.environment import installed_device, usable_cpus, variables
from runtime.serve.failures import ConfigInvalid, ServeFailure, leave_message
from runtime.serve.start.model_class_cache import seed_notes
from runtime.serve.start.precision import cpu_flags, dtype_on_cpu
from runtime.serve.start.waiting import wait_for_weights

_PR_SET_PDEATHSIG: Final = 1
"""Of Linux's <sys/prctl.h>."""


def main(argv: list[str] | None = None) -> int:
    """Returns when the server has stopped; a failure before it starts returns its exit code."""
    parser = argparse.ArgumentParser(prog="python -m runtime.serve", description="Serves a model with vLLM.")
    parser.add_argument("--config", type=Path, default=Path(CONFIG_PATH), help="serve.json")
    options = parser.parse_args(argv)
    _end_with_the_watcher()
    try:
        serve(read_config(options.config))
    except ServeFailure as failure:
        leave_message(failure)
        return failure.exit_code
    return 0


def serve(config: ServeConfig) -> None:
    """Prepares the process and runs vLLM in it until SIGTERM. Raises ServeFailure."""
    device = installed_device()
    if device == "cpu":
        config = config.model_copy(update={"dtype": dtype_on_cpu(config.dtype, cpu_flags())})
    os.environ.update(variables(config, device, usable_cpus(), os.environ))
    seed_notes(Path(os.environ["VLLM_CACHE_ROOT"]))
    # Imported only now: it reads the environment. The import takes 10 s, while the weights are being fetched.
    from runtime.serve.adapters.naming import naming_of
    from runtime.serve.launch import parse_arguments, run

    # The arguments need the adapters' ranks. Adapters are small and arrive first, before the weights.
    config = with_adapters(config, _log)
    arguments = parse_arguments(config, device)
    wait_for_weights(config, _log)
    check_fit(config, naming_of)
    run(config, arguments)


def _end_with_the_watcher() -> None:
    """Outside of a container nothing else ends this process when the one that watches it is killed."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


def _log(text: str) -> None:
    print(text, flush=True)


def read_config(file: Path) -> ServeConfig:
    """Returns the config in a file. Raises ConfigInvalid naming the invalid field."""
    try:
        return ServeConfig.model_validate_json(file.read_bytes())
    except OSError as error:
        raise ConfigInvalid(f"{file} cannot be read: {error.strerror}") from error
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "the file"
        raise ConfigInvalid(f"{file}: {where}: {first['msg']}") from error


if __name__ == "__main__":
    sys.exit(main())
