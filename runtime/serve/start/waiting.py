"""Waits until the weights are marked complete. Fetching them is left to `runtime.fetch`.

Weights that the node has itself bear no mark: whoever made the node's image has put them there whole.
"""

import time
from collections.abc import Callable
from pathlib import Path

from api.pods.serve import ServeConfig
from api.pods.weights import local_weights_path
from runtime.pod.metrics import bytes_below
from runtime.serve.failures import WeightsMissing

CONFIG_FILES = ("config.json", "params.json")
"""Hugging Face's, and Mistral's own."""
LOOK_S = 0.2
LOG_EVERY_S = 10.0


def wait_for_weights(config: ServeConfig, log: Callable[[str], None], *, look_s: float = LOOK_S) -> float:
    """Waits and returns the seconds waited. Raises WeightsMissing after `weights_deadline_s`, and at once where they
    should lie on the node and do not."""
    marker, folder = Path(config.complete_marker), Path(config.weights_path)
    if not config.fetched:
        _look_on_the_node(config, folder)
        return 0.0
    began = logged = time.monotonic()
    while not marker.exists():
        now = time.monotonic()
        if now - began > config.weights_deadline_s:
            have = bytes_below(folder) / 1e6
            raise WeightsMissing(
                f"the weights of {config.model} are not complete after {config.weights_deadline_s} s "
                f"({have:.0f} MB in {folder}): see the fetch container's log"
            )
        if now - logged > LOG_EVERY_S:
            log(f"waiting for weights: {bytes_below(folder) / 1e6:.0f} MB so far, {now - began:.0f} s")
            logged = now
        time.sleep(look_s)
    return time.monotonic() - began


def _look_on_the_node(config: ServeConfig, folder: Path) -> None:
    if not any((folder / name).is_file() for name in CONFIG_FILES):
        raise WeightsMissing(
            f"{local_weights_path(config.model)} on the node holds no model (no {' or '.join(CONFIG_FILES)}): "
            "put the weights there, or remove kaito.sh/use-local-weights"
        )
