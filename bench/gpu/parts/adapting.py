"""The part `adapter`: the adapter that was just trained, served beside its model, answers differently.

Asked for are the log-probabilities of one fixed text. The model itself is asked twice: the difference between those is
what rounding makes, and the adapter's must be far beyond it.
"""

import json
import sys
import urllib.request
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from api.pods.adapter_records import ADAPTER_READY, adapter_folder
from api.pods.adapters import AdaptersConfig, AdapterSource
from api.pods.serve import AdapterMount
from bench.gpu.machine.place import Place
from bench.gpu.machine.processes import Deadline, PartFailed, Program, running
from bench.gpu.parts import servers
from bench.gpu.parts.servers import NAME
from bench.gpu.parts.training import results_folder

ADAPTER: Final = "trained"
TEXT: Final = "w1 w2 w3 w7 w11 w13 w17 w19 w23 w29"
CLEAR: Final = 10.0
"""Times the noise, that a difference must be."""
LEAST: Final = 0.01
"""Of a log-probability; where there is no noise at all."""


def adapt(place: Place, deadline: Deadline) -> dict[str, float]:
    """Brings the adapter as a pod does, serves it, and compares. Raises PartFailed."""
    trained = results_folder(place, "lora")
    if not trained.is_dir():
        raise PartFailed("there is no adapter to serve: the part tune-lora did not make one")
    folder = place.new_folder("adapter")
    config = servers.config_for(place, folder, [_brought(place, trained, folder, deadline)])
    with servers.ours(place, config, folder, deadline) as server:
        base, again, adapted = (_logprobs(server.url, name, deadline) for name in (NAME, NAME, ADAPTER))
    figures = {
        "start_s": server.start_s,
        "logprob_difference": difference(base, adapted),
        "logprob_noise": difference(base, again),
    }
    if not differs(figures["logprob_difference"], figures["logprob_noise"]):
        raise PartFailed(f"the adapter changes nothing: {figures}")
    return figures


def difference(one: Sequence[float], other: Sequence[float]) -> float:
    """The largest of any token's. Raises ValueError for different numbers of tokens, or none."""
    return max(abs(a - b) for a, b in zip(one, other, strict=True))


def differs(found: float, noise: float) -> bool:
    """Whether a difference is more than rounding."""
    return found >= max(LEAST, CLEAR * noise)


def _brought(place: Place, trained: Path, folder: Path, deadline: Deadline) -> AdapterMount:
    volumes, target = folder / "mnt", folder / "adapters"
    volumes.mkdir()
    (volumes / ADAPTER).symlink_to(trained)
    config = AdaptersConfig(
        model=place.weights.repo,
        adapters=(AdapterSource(name=ADAPTER),),
        folder=str(target),
        volumes=str(volumes),
    )
    file = folder / "adapters.json"
    file.write_text(config.model_dump_json())
    argv = [sys.executable, "-m", "runtime.adapters", "--config", str(file)]
    mount = AdapterMount(name=ADAPTER, path=adapter_folder(ADAPTER, str(target)))
    with running(Program(argv, folder / "adapters.log", place.environment)) as bringing:
        bringing.wait_until(lambda: (Path(mount.path) / ADAPTER_READY).exists(), "the adapter is installed", deadline)
    return mount


def _logprobs(url: str, model: str, deadline: Deadline) -> list[float]:
    """Of every token of the text but the first."""
    body = {"model": model, "prompt": TEXT, "max_tokens": 1, "temperature": 0, "prompt_logprobs": 0}
    request = urllib.request.Request(
        f"{url}/v1/completions", json.dumps(body).encode(), {"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=max(1.0, deadline.left)) as response:
        answer: dict[str, Any] = json.load(response)
    tokens = answer["choices"][0]["prompt_logprobs"]
    return [next(iter(token.values()))["logprob"] for token in tokens if token]
