"""Waits for the adapters, reads their ranks and checks that they fit the model's weights.

Installing and validating them is left to `runtime.adapters`, what fits to `places.py`. Compares before vLLM
starts: vLLM would exit with a trace that does not name the adapter, or serve the model without it.
"""

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from pydantic import ValidationError

from api.pods.adapter_records import AdapterRecord
from api.pods.serve import AdapterMount, ServeConfig
from runtime.pod.safetensors import Tensor, tensors_of
from runtime.serve.adapters.places import Naming, misfits
from runtime.serve.failures import AdaptersMissing, AdapterUnfit
from runtime.serve.start.waiting import LOG_EVERY_S, LOOK_S

_MISTRALS_OWN: Final = "consolidated"
"""How files begin that hold a model by Mistral's names, which adapters never have."""


def with_adapters(config: ServeConfig, log: Callable[[str], None], *, look_s: float = LOOK_S) -> ServeConfig:
    """Waits for all adapters and returns the config with their ranks. Raises AdaptersMissing after the deadline."""
    began = logged = time.monotonic()
    while missing := [adapter.name for adapter in config.adapters if _record(adapter) is None]:
        now = time.monotonic()
        if now - began > config.weights_deadline_s:
            raise AdaptersMissing(
                f"adapters are missing after {config.weights_deadline_s} s: {', '.join(missing)}; see the log of the "
                "container adapters"
            )
        if now - logged > LOG_EVERY_S:
            log(f"waiting for adapters: {', '.join(missing)}, {now - began:.0f} s")
            logged = now
        time.sleep(look_s)
    return config.model_copy(update={"adapters": [_ranked(adapter) for adapter in config.adapters]})


def check_fit(config: ServeConfig, naming_of: Callable[[Path], Naming | None]) -> None:
    """Raises AdapterUnfit that names the adapter and what of it does not fit the model's weights; `naming_of` reads how
    vLLM names the parts of the model in a folder. What no weight file tells is left to vLLM."""
    if not config.adapters:
        return
    folder = Path(config.weights_path)
    weights: dict[str, Tensor] = {}
    for file in sorted(folder.glob("*.safetensors")):
        weights |= _tensors(file) if not file.name.startswith(_MISTRALS_OWN) else {}
    naming = naming_of(folder)
    for adapter in config.adapters:
        tensors: dict[str, Tensor] = {}
        for file in Path(adapter.path).glob("*.safetensors"):
            tensors |= _tensors(file)
        if words := next(misfits(tensors, weights, naming), None):
            raise AdapterUnfit(
                f"adapter {adapter.name} does not fit {config.model}: {words}. "
                "Serve it with the model that it was trained on"
            )


def _tensors(file: Path) -> Mapping[str, Tensor]:
    """Returns an empty mapping for an unreadable file: vLLM reports the error."""
    try:
        return tensors_of(file)
    except ValueError:
        return {}


def _ranked(adapter: AdapterMount) -> AdapterMount:
    record = _record(adapter)
    return adapter if record is None else adapter.model_copy(update={"rank": record.rank})


def _record(adapter: AdapterMount) -> AdapterRecord | None:
    """Returns None while the adapter is missing: its folder is renamed into place when it is complete."""
    try:
        return AdapterRecord.model_validate_json(Path(adapter.ready_marker).read_bytes())
    except (FileNotFoundError, ValidationError):
        return None
