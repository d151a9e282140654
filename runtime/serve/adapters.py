"""Waits for the adapters, reads their ranks and checks that they fit the model's weights.

Installing and validating them is left to `runtime.adapters`. Compares matrix sizes before vLLM starts, because vLLM
would exit with a trace that does not name the adapter.
"""

import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Final

from pydantic import ValidationError

from api.pods.adapter_records import AdapterRecord
from api.pods.serve import AdapterMount, ServeConfig
from runtime.pod.safetensors import Tensor, tensors_of
from runtime.serve.failures import AdaptersMissing, AdapterUnfit
from runtime.serve.waiting import LOG_EVERY_S, LOOK_S

_PREFIX: Final = "base_model.model."
_DOWN, _UP = ".lora_A.weight", ".lora_B.weight"
_WHOLE: Final = frozenset({"BF16", "F16", "F32"})
"""Types that keep a matrix's shape; packed (quantized) types do not."""


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


def check_fit(config: ServeConfig) -> None:
    """Raises AdapterUnfit that names the adapter, the module and both sizes. Skips modules that are
    missing from the weight files or packed there: vLLM checks those."""
    if not config.adapters:
        return
    weights: dict[str, Tensor] = {}
    for file in Path(config.weights_path).glob("*.safetensors"):
        weights |= _tensors(file)
    for adapter in config.adapters:
        for file in Path(adapter.path).glob("*.safetensors"):
            if words := next(_misfits(_tensors(file), weights), None):
                raise AdapterUnfit(
                    f"adapter {adapter.name} was trained on another model than {config.model}: {words}. "
                    "Serve it with the model that it was trained on"
                )


def _misfits(adapter: Mapping[str, Tensor], weights: Mapping[str, Tensor]) -> Iterator[str]:
    for name, down in adapter.items():
        module = name.removeprefix(_PREFIX).removesuffix(_DOWN)
        up, base = adapter.get(name.removesuffix(_DOWN) + _UP), weights.get(f"{module}.weight")
        if not name.endswith(_DOWN) or up is None or base is None or base.dtype not in _WHOLE:
            continue
        if {len(down.shape), len(up.shape), len(base.shape)} != {2}:
            continue
        wanted = (up.shape[0], down.shape[1])
        # Some old models store their matrices transposed.
        if base.shape not in (wanted, wanted[::-1]):
            yield f"{module} is {' x '.join(map(str, base.shape))} in the model, and the adapter is for " + (
                " x ".join(map(str, wanted))
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
